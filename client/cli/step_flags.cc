#include "client/cli/step_flags.h"

#include <CLI/CLI.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/enum_text.h"
#include "core/base/status.h"

namespace saliency {

void AddStepFlags(CLI::App& command, StepFlags& flags) {
  constexpr char kGroup[] = "Meta step";
  command
      .add_option("--epsilon", flags.epsilon,
                  "half the learning rate of the step, in [0, 1]; default: "
                  "0.001")
      ->check(CLI::Range(0.0, 1.0))
      ->group(kGroup);
  command
      .add_option("--direction", flags.direction,
                  "which way the step goes: descent or ascent")
      ->capture_default_str()
      ->group(kGroup);
  command
      .add_option("--loss", flags.loss,
                  "what it follows: cross_entropy or binary_cross_entropy; "
                  "default: by the model's output")
      ->group(kGroup);
}

absl::StatusOr<v1::MetaStep> MakeStep(const StepFlags& flags) {
  v1::MetaStep step;
  if (flags.epsilon.has_value()) step.set_epsilon(*flags.epsilon);
  ASSIGN_OR_RETURN(const int direction,
                   ParseEnum(*v1::MetaDirection_descriptor(), "--direction",
                             flags.direction));
  step.set_direction(static_cast<v1::MetaDirection>(direction));
  if (flags.loss.empty()) return step;
  ASSIGN_OR_RETURN(const int loss,
                   ParseEnum(*v1::MetaLoss_descriptor(), "--loss", flags.loss));
  step.set_loss(static_cast<v1::MetaLoss>(loss));
  return step;
}

absl::StatusOr<std::optional<v1::MetaStep>> MakeStepIf(bool meta,
                                                       const StepFlags& flags) {
  if (!meta && flags.any()) {
    return absl::InvalidArgumentError(
        "--epsilon, --direction and --loss need --meta");
  }
  ASSIGN_OR_RETURN(v1::MetaStep step, MakeStep(flags));
  if (!meta) return std::optional<v1::MetaStep>();
  return std::optional<v1::MetaStep>(std::move(step));
}

std::string StepText(const v1::MetaStep& step) {
  std::string text;
  const auto append = [&](absl::string_view part) {
    absl::StrAppend(&text, text.empty() ? "" : " ", part);
  };
  if (step.has_epsilon()) append(absl::StrCat("epsilon ", step.epsilon()));
  if (step.direction() != v1::META_DIRECTION_UNSPECIFIED) {
    append(EnumText(*v1::MetaDirection_descriptor(), step.direction()));
  }
  if (step.loss() != v1::META_LOSS_UNSPECIFIED) {
    append(EnumText(*v1::MetaLoss_descriptor(), step.loss()));
  }
  return text;
}

}  // namespace saliency
