#include "core/engine/resolve_meta_step.h"

#include "absl/strings/str_cat.h"

namespace saliency {
namespace {

constexpr double kMaxEpsilon = 1;

// For models whose classes exclude each other, or not.
MetaLoss LossFor(OutputActivation activation) {
  switch (activation) {
    case OutputActivation::kSoftmax:
      return MetaLoss::kCrossEntropy;
    case OutputActivation::kSigmoid:
      return MetaLoss::kBinaryCrossEntropy;
  }
  return MetaLoss::kCrossEntropy;
}

}  // namespace

absl::StatusOr<std::optional<MetaStep>> ResolveMetaStep(
    const Job& job, const ModelFacts& model) {
  if (!job.meta.has_value()) return std::optional<MetaStep>();
  // Written so that a NaN fails.
  if (!(job.meta->epsilon >= 0 && job.meta->epsilon <= kMaxEpsilon)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "step.epsilon ", job.meta->epsilon, " not in [0, ", kMaxEpsilon, "]"));
  }
  if (job.score == Score::kScalarOutput) {
    return absl::InvalidArgumentError(
        "score SCALAR_OUTPUT has no classes, and a meta step needs one for "
        "its loss");
  }
  const MetaStep step = {
      .epsilon = job.meta->epsilon,
      .direction = job.meta->direction,
      .loss = job.meta->loss.value_or(LossFor(model.config.activation))};
  if (step.loss == MetaLoss::kCrossEntropy && model.num_classes < 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("step.loss CROSS_ENTROPY needs two classes or more; this "
                     "model has ",
                     model.num_classes));
  }
  if (model.meta_path == MetaPath::kNone) {
    return absl::FailedPreconditionError(model.meta_refusal);
  }
  return std::optional<MetaStep>(step);
}

}  // namespace saliency
