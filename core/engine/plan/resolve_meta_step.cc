#include "core/engine/plan/resolve_meta_step.h"

#include <cstddef>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/model/output_meaning.h"

namespace saliency {
namespace {

constexpr double kMaxEpsilon = 1;

}  // namespace

std::optional<MetaStep> ResolveMetaStep(const Job& job,
                                        const ModelMetadata& model,
                                        Violations& found) {
  if (!job.meta.has_value()) return std::nullopt;
  // Written so that a NaN fails.
  if (!(job.meta->epsilon >= 0 && job.meta->epsilon <= kMaxEpsilon)) {
    found.Add(absl::InvalidArgumentError(absl::StrCat(
        "step.epsilon ", job.meta->epsilon, " not in [0, ", kMaxEpsilon, "]")));
  }
  if (job.score == Score::kScalarOutput) {
    found.Add(absl::InvalidArgumentError(
        "score SCALAR_OUTPUT has no classes, and a meta step needs one for "
        "its loss"));
  }
  for (std::size_t i = 0; i < job.targets.size(); ++i) {
    if (job.targets[i].others.empty()) continue;
    found.Add(absl::InvalidArgumentError(absl::StrCat(
        "targets[", i,
        "].others: a meta step follows the loss of one class alone")));
  }
  const MetaStep step = {
      .epsilon = job.meta->epsilon,
      .direction = job.meta->direction,
      .loss = job.meta->loss.value_or(LossOf(model.meaning))};
  found.Add(Annotate(CheckLoss(step.loss, model.meaning, model.num_classes),
                     "step.loss"));
  if (model.meta_path == MetaPath::kNone) {
    found.Add(absl::FailedPreconditionError(model.meta_refusal));
  }
  return step;
}

}  // namespace saliency
