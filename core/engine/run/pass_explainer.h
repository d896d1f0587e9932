// The Explainer over a real model: one batch, in as few passes as the row bound
// allows, whatever methods, layers and targets its items mix.
// Thread-compatible: belongs to its replica's worker.

#ifndef SALIENCY_CORE_ENGINE_RUN_PASS_EXPLAINER_H_
#define SALIENCY_CORE_ENGINE_RUN_PASS_EXPLAINER_H_

#include <atomic>
#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/engine/explainer.h"
#include "core/engine/run/pass_chunk.h"
#include "core/model/probed_model.h"

namespace saliency {

class PassExplainer final : public Explainer {
 public:
  struct Options {
    // Of one pass, at the input size that the model was measured at: what
    // bounds the device's memory.  Larger inputs get fewer.
    int64_t max_rows = 16;
  };

  // `model` outlives this.
  PassExplainer(ProbedModel& model, const Options& options)
      : model_(model), options_(options) {}

  // Variants with a meta step and those without get passes of their own.  When
  // device memory runs out, passes get half the rows, down to one. Cancellation
  // is looked at between passes, which are of one row where meta steps are
  // taken row by row anyway.
  absl::StatusOr<PassAnswers> Explain(
      absl::Span<const PassItem* const> items) override;

  int64_t progress() const override { return passes_; }

 private:
  int64_t RowsAtOnce(const PassItem& item, const Variant& variant) const;
  absl::Status RunRows(absl::Span<const PassItem* const> items,
                       absl::Span<const BatchRow> rows, PassAnswers& answers);
  absl::Status RunChunk(absl::Span<const PassItem* const> items,
                        absl::Span<const BatchRow> rows, PassAnswers& answers);
  absl::Status RunPass(absl::Span<const PassItem* const> items,
                       absl::Span<const BatchRow> rows, PassAnswers& answers);

  ProbedModel& model_;
  const Options options_;
  std::atomic<int64_t> passes_ = 0;
};

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_RUN_PASS_EXPLAINER_H_
