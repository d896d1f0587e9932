// `saliency meta IMAGE...`: what a model would learn from an image.

#include <CLI/CLI.hpp>
#include <memory>

#include "client/cli/commands.h"
#include "client/cli/explain_flags.h"
#include "client/cli/image_runner.h"
#include "client/cli/step_flags.h"
#include "core/base/status.h"

namespace saliency {
namespace {

struct MetaFlags {
  ExplainFlags explain;  // images, request, output, connection
  StepFlags step;
  bool plain = false;
  bool correlation = false;
};

struct MetaPlan {
  v1::MetaSaliencyRequest request;  // without the image
  ExplainPlan explain;              // images and what is saved
};

absl::StatusOr<MetaPlan> MakeMetaPlan(const MetaFlags& flags,
                                      std::istream& input) {
  MetaPlan plan;
  const int of_each = LayersOfEach(flags.explain) * (flags.plain ? 2 : 1);
  ASSIGN_OR_RETURN(plan.explain,
                   MakeExplainPlan(flags.explain, of_each, input));
  CopyRequestFields(plan.explain.request, plan.request);
  *plan.request.mutable_attributions() = plan.explain.request.attributions();
  ASSIGN_OR_RETURN(*plan.request.mutable_step(), MakeStep(flags.step));
  plan.request.set_plain_maps(flags.plain);
  plan.request.set_plain_correlation(flags.correlation);
  return plan;
}

ExitCode Meta(const MetaFlags& flags, Console& console) {
  const absl::StatusOr<MetaPlan> plan = MakeMetaPlan(flags, console.in);
  if (!plan.ok()) {
    return PrintUsageError(console, "meta", plan.status());
  }
  return RunImages(plan->explain, flags.explain, plan->request, console);
}

void AddFlags(CLI::App& command, MetaFlags& flags) {
  AddExplainFlags(command, flags.explain);
  AddStepFlags(command, flags.step);
  command
      .add_flag("--plain", flags.plain,
                "each map without the step too, after the one with it")
      ->group("Meta step");
  command
      .add_flag("--correlation", flags.correlation,
                "the rank correlation of each map with the one without the "
                "step")
      ->group("Meta step");
}

}  // namespace

Command AddMetaCommand(CLI::App& root) {
  CLI::App* app = root.add_subcommand(
      "meta", "Explains a model that takes one step of SGD on the image");
  const auto flags = std::make_shared<MetaFlags>();
  AddFlags(*app, *flags);
  app->footer(
      "Meta-saliency: for each image and target a copy of all weights takes "
      "one step of learning rate 2 x epsilon towards a surer answer (descent) "
      "or away from it (ascent); the model itself is not changed.");
  return {app, [flags](Console& console) { return Meta(*flags, console); }};
}

}  // namespace saliency
