// `saliency explain IMAGE...`: asks about each image, several at once, and
// reports in the order given.

#include <CLI/CLI.hpp>
#include <memory>

#include "client/cli/commands.h"
#include "client/cli/explain_flags.h"
#include "client/cli/image_runner.h"

namespace saliency {
namespace {

ExitCode Explain(const ExplainFlags& flags, Console& console) {
  const absl::StatusOr<ExplainPlan> plan =
      MakeExplainPlan(flags, LayersOfEach(flags), console.in);
  if (!plan.ok()) {
    return PrintUsageError(console, "explain", plan.status());
  }
  return RunImages(*plan, flags, plan->request, console);
}

}  // namespace

Command AddExplainCommand(CLI::App& root) {
  CLI::App* app = root.add_subcommand(
      "explain", "Explains what a model sees in one or more images");
  const auto flags = std::make_shared<ExplainFlags>();
  AddExplainFlags(*app, *flags);
  return {app, [flags](Console& console) { return Explain(*flags, console); }};
}

}  // namespace saliency
