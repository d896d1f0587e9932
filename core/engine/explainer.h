// The seam between deciding (queues, batches, deadlines) and doing (passes
// through a model): one explainer belongs to one replica and one worker thread.

#ifndef SALIENCY_CORE_ENGINE_EXPLAINER_H_
#define SALIENCY_CORE_ENGINE_EXPLAINER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "core/attribution/attribution.h"
#include "core/base/cancel_token.h"
#include "core/engine/run/sampled_inputs.h"
#include "core/model/probe.h"

namespace saliency {

// One attribution at one layer.
struct PassAttribution {
  Attribution attribution;
  std::string layer;
};

// One way in which the rows of an item run, and the maps that it brings.
struct Variant {
  std::vector<PassAttribution> attributions;
  std::optional<MetaStep> meta;  // each row takes it; none: the model as it is
  BackwardRule rule;             // of all its attributions
  // What runs instead of the item's images: of each row these samples.  Null:
  // the images themselves.
  std::shared_ptr<const SampledInputs> samples;
  int64_t first_sample = 0;
  int64_t sample_count = 0;
  int64_t first_image = 0;  // of the images that `samples` knows, the item's
  // Where the first variant records the activation that the samples mask images
  // by, into its attributions; -1: they need none.
  int mask_source = -1;
  // Of a slice: that activation of its image, [K,H,W] float32 on the CPU;
  // undefined: none was recorded.
  at::Tensor mask_activation;

  // A variant of all samples there are.
  static Variant Of(std::shared_ptr<const SampledInputs> samples) {
    const int64_t count = samples->count();
    return {.samples = std::move(samples), .sample_count = count};
  }
};

// What a row explains: a class, and what is added to its score.
struct PassTarget : ClassTarget {
  using ClassTarget::ClassTarget;
  // A class alone is such a target. NOLINTNEXTLINE(google-explicit-constructor)
  PassTarget(const ClassTarget& target) : ClassTarget(target) {}

  std::vector<ScoreTerm> others;
  std::string others_text;  // for titles: "- cat + 0.5 dog"; empty: none
};

// What the model has to do for one job.  Items of one batch share version,
// input size and whether their first variants take meta steps, and nothing
// else.
struct PassItem {
  at::Tensor input;  // [n,C,H,W] float32, CPU; n images of one job
  std::vector<PassTarget> targets;  // each applies to each image
  Score score = Score::kLogit;
  // At least one; those with samples last.  The first explains `targets`, the
  // others the classes that the first came to, whatever the model ranks highest
  // in them.
  std::vector<Variant> variants = std::vector<Variant>(1);
  std::vector<std::string> pooled_layers;     // whose spatial means are wanted
  std::shared_ptr<const CancelToken> cancel;  // null: cannot be cancelled

  int64_t rows() const {
    return input.size(0) * static_cast<int64_t>(targets.size());
  }
};

// What one variant came to.
struct VariantAnswer {
  std::vector<float> score;  // [n x targets], image-major
  // With a meta step: [n x targets,C] float32, CPU, each row's logits after it.
  at::Tensor stepped_logits;
  // [n x targets x attributions], image-major: raw maps [H,W] float32 at
  // layer resolution on the CPU, or why there is none.
  std::vector<absl::StatusOr<at::Tensor>> maps;
  // As maps: what is to be known of each, as that no gradient reaches its
  // layer; empty for most.  Empty: none has a warning.
  std::vector<std::string> warnings;
  // Of a variant with samples, until FinishSamples: score and maps are sums
  // over the samples so far, each times its weight, the maps float64; and here
  // those of the maps' squares, where the statistic needs them.
  std::vector<at::Tensor> squares;
};

struct PassAnswer {
  at::Tensor logits;  // [n,C] float32, CPU: of the model as it is
  std::vector<int64_t> class_index;     // [n x targets], image-major
  std::vector<VariantAnswer> variants;  // one for each of the item's, in order
  // [n x pooled_layers], image-major: the activation's spatial means, [K]
  // float32, CPU.
  std::vector<at::Tensor> pooled;
};

struct PassAnswers {
  std::vector<PassAnswer> items;  // one per item, in order
  absl::Duration forward_time;
  absl::Duration backward_time;
  absl::Duration aggregate_time;
  // How often rows were split because device memory ran out.
  int out_of_memory_retries = 0;
};

class Explainer {
 public:
  virtual ~Explainer() = default;

  // Counts the passes that are done, so that long work can be told from work
  // that hangs.  Any thread may call it.
  virtual int64_t progress() const { return 0; }

  // Explains a batch in shared passes.  An error is the batch's: the caller
  // bisects until only the culprit fails.
  // Errors: as ProbedModel::Run; CANCELLED when every item was cancelled.
  virtual absl::StatusOr<PassAnswers> Explain(
      absl::Span<const PassItem* const> items) = 0;
};

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_EXPLAINER_H_
