// `saliency combine IMAGE...`: the maps of several layers as one.

#include <CLI/CLI.hpp>
#include <memory>

#include "client/cli/combine_flags.h"
#include "client/cli/commands.h"
#include "client/cli/image_runner.h"

namespace saliency {
namespace {

ExitCode Combine(const CombineFlags& flags, Console& console) {
  const absl::StatusOr<CombinePlan> plan = MakeCombinePlan(flags, console.in);
  if (!plan.ok()) {
    return PrintUsageError(console, "combine", plan.status());
  }
  return RunImages(plan->explain, flags.explain, plan->request, console);
}

}  // namespace

Command AddCombineCommand(CLI::App& root) {
  CLI::App* app = root.add_subcommand(
      "combine", "Joins what a model sees at several layers into one map");
  const auto flags = std::make_shared<CombineFlags>();
  AddCombineFlags(*app, *flags);
  app->footer(
      "Default layers: the model's combine_layers. Every method is combined by "
      "every weighting and every rule. --raw concerns the maps of "
      "--layer-maps; a combined map is never normalised, but for its overlay.");
  return {app, [flags](Console& console) { return Combine(*flags, console); }};
}

}  // namespace saliency
