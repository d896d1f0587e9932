// PassAnswer -> Explanation: one result for each image x target x planned
// result or combination, each with its own status.
// Thread-compatible.

#ifndef SALIENCY_CORE_ENGINE_FINISH_FINISH_H_
#define SALIENCY_CORE_ENGINE_FINISH_FINISH_H_

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "core/engine/explainer.h"
#include "core/engine/finish/finish_row.h"
#include "core/engine/finish/rendering.h"
#include "core/engine/job.h"
#include "core/engine/model_metadata.h"
#include "core/engine/plan/prepare.h"

namespace saliency {

struct FinishOptions {
  OutputOptions output;
  int top_k = 5;
  bool plain_maps = false;  // as those of the job
  Correlate correlate = Correlate::kNone;
  // Whether an explanation without a single map is an answer too.
  bool all_may_fail = false;
};

// Adds the pieces that append what the row comes to: results, combined and
// layer_maps.  All but the row is referred to.
void AddRow(const std::shared_ptr<const FinishRow>& row,
            const PreparedJob& prepared, Pieces& pieces,
            Explanation& explanation);

// Fills model, version, images and all results.
// REQUIRES: two targets or more for Correlate::kTargets.
// Errors of its steps: FAILED_PRECONDITION pooled features that are not finite;
//   INTERNAL when the answer does not have the prepared job's shape.
class JobRendering final : public Rendering {
 public:
  // `prepared` and `answer` outlive this.
  JobRendering(const PreparedJob& prepared, const PassAnswer& answer,
               std::shared_ptr<const ModelMetadata> model,
               const FinishOptions& options);

  // Unless all_may_fail, an explanation without a single map is an error.
  absl::StatusOr<Explanation> Take() override;

 private:
  absl::Status AddImage(std::size_t image);

  const PreparedJob& prepared_;
  const PassAnswer& answer_;
  const std::shared_ptr<const ModelMetadata> model_;
  const FinishOptions options_;
};

// All of it at once.  Errors: as JobRendering.
absl::StatusOr<Explanation> FinishJob(const PreparedJob& prepared,
                                      const PassAnswer& answer,
                                      const ModelMetadata& model,
                                      const FinishOptions& options);

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_FINISH_FINISH_H_
