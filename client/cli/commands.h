// The subcommands.  Each lives in a file of its own, which adds its flags to
// the command line and says what to run when it is the one that was called.

#ifndef SALIENCY_CLIENT_CLI_COMMANDS_H_
#define SALIENCY_CLIENT_CLI_COMMANDS_H_

#include <functional>

#include "client/cli/console.h"

namespace CLI {
class App;
}  // namespace CLI

namespace saliency {

struct Command {
  CLI::App* app = nullptr;                // owned by the root
  std::function<ExitCode(Console&)> run;  // owns the flags' values
};

Command AddModelsCommand(CLI::App& root);
Command AddExplainCommand(CLI::App& root);
Command AddCombineCommand(CLI::App& root);
Command AddMetaCommand(CLI::App& root);
Command AddGridCommand(CLI::App& root);
Command AddCalibrateCommand(CLI::App& root);
Command AddEvaluateCommand(CLI::App& root);
Command AddHealthCommand(CLI::App& root);
Command AddBenchCommand(CLI::App& root);

// Of `saliency evaluate`; `evaluate` is its subcommand.
Command AddPointingGameCommand(CLI::App& evaluate);
Command AddClassSensitivityCommand(CLI::App& evaluate);
Command AddIdentityCheckCommand(CLI::App& evaluate);
Command AddWeightSensitivityCommand(CLI::App& evaluate);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_COMMANDS_H_
