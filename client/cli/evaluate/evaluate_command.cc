// `saliency evaluate MEASURE FOLDER`: a measure over a whole data set.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <vector>

#include "client/cli/commands.h"

namespace saliency {

Command AddEvaluateCommand(CLI::App& root) {
  CLI::App* app = root.add_subcommand(
      "evaluate", "Measures methods and layers over a whole data set");
  app->require_subcommand(1);
  const std::vector<Command> measures = {
      AddPointingGameCommand(*app), AddClassSensitivityCommand(*app),
      AddIdentityCheckCommand(*app), AddWeightSensitivityCommand(*app)};
  return {app, [measures](Console& console) {
            const auto called = std::find_if(
                measures.begin(), measures.end(),
                [](const Command& measure) { return measure.app->parsed(); });
            return called->run(console);
          }};
}

}  // namespace saliency
