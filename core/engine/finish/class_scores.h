// From logits to what a caller reads: probabilities, labels, the top classes.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_ENGINE_FINISH_CLASS_SCORES_H_
#define SALIENCY_CORE_ENGINE_FINISH_CLASS_SCORES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "core/engine/job.h"
#include "core/model/output_meaning.h"

namespace saliency {

// The scores of one image.
class ClassScores {
 public:
  // `logits` are the model's outputs, whatever they mean.  `labels` may be
  // shorter and outlives this.
  ClassScores(absl::Span<const float> logits, Probabilities probabilities,
              absl::Span<const std::string> labels);

  // REQUIRES: 0 <= index < number of logits.
  ClassScore Of(int64_t index) const;
  // The `count` largest logits, largest first, ties to the lower index; fewer
  // when the model has fewer classes.
  std::vector<ClassScore> Top(int count) const;

 private:
  std::vector<float> logits_;
  std::vector<std::optional<float>> probabilities_;
  absl::Span<const std::string> labels_;
};

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_FINISH_CLASS_SCORES_H_
