// The meta step that a command asks for: the flags that `meta` and the measures
// share.

#ifndef SALIENCY_CLIENT_CLI_STEP_FLAGS_H_
#define SALIENCY_CLIENT_CLI_STEP_FLAGS_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "saliency/v1/explanation.pb.h"

namespace CLI {
class App;
}  // namespace CLI

namespace saliency {

// As typed.
struct StepFlags {
  std::optional<double> epsilon;
  std::string direction = "descent";
  std::string loss;  // empty: the model's

  // Whether one of them was given.
  bool any() const {
    return epsilon.has_value() || direction != StepFlags().direction ||
           !loss.empty();
  }
};

// `flags` outlives `command`.
void AddStepFlags(CLI::App& command, StepFlags& flags);

// Errors: INVALID_ARGUMENT naming the flag.
absl::StatusOr<v1::MetaStep> MakeStep(const StepFlags& flags);

// None unless `meta` asks for it.
// Errors: INVALID_ARGUMENT also where a step is described and not asked for.
absl::StatusOr<std::optional<v1::MetaStep>> MakeStepIf(bool meta,
                                                       const StepFlags& flags);

// "epsilon 0.001 descent cross_entropy", without what is not set.
std::string StepText(const v1::MetaStep& step);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_STEP_FLAGS_H_
