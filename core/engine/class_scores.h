// From logits to what a caller reads: probabilities, labels, the top classes.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_ENGINE_CLASS_SCORES_H_
#define SALIENCY_CORE_ENGINE_CLASS_SCORES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "core/engine/job.h"
#include "core/model/model_config.h"

namespace saliency {

// The scores of one picture.
class ClassScores {
 public:
  // `labels` may be shorter than `logits` and outlives this.
  ClassScores(absl::Span<const float> logits, OutputActivation activation,
              absl::Span<const std::string> labels);

  // REQUIRES: 0 <= index < number of logits.
  ClassScore Of(int64_t index) const;
  // The `count` largest logits, largest first, ties to the lower index; fewer
  // when the model has fewer classes.
  std::vector<ClassScore> Top(int count) const;

 private:
  std::vector<float> logits_;
  std::vector<float> probabilities_;
  absl::Span<const std::string> labels_;
};

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_CLASS_SCORES_H_
