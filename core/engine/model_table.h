// Which model versions are served, and which one a job means.
// Thread-safe.

#ifndef SALIENCY_CORE_ENGINE_MODEL_TABLE_H_
#define SALIENCY_CORE_ENGINE_MODEL_TABLE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "core/engine/model_metadata.h"
#include "core/engine/run/batcher.h"

namespace saliency {

// One version as it is served.  Jobs hold it, so that a replaced version ends
// only when the last of them is done.
class ServedModel {
 public:
  ServedModel(ModelMetadata metadata, const BatchLimits& limits, Clock& clock)
      : batcher(limits, clock),
        metadata_(std::make_shared<const ModelMetadata>(std::move(metadata))) {}

  // As they are now; all but the layer weights stay so.
  std::shared_ptr<const ModelMetadata> metadata() const
      ABSL_LOCKS_EXCLUDED(mu_);
  // For the jobs that are planned from now on.
  void SetLayerWeights(LayerWeights weights) ABSL_LOCKS_EXCLUDED(mu_);

  Batcher batcher;

 private:
  mutable Mutex mu_;
  std::shared_ptr<const ModelMetadata> metadata_ ABSL_GUARDED_BY(mu_);
};

class ModelTable {
 public:
  // Returns the version this one replaced, or null.
  std::shared_ptr<ServedModel> Put(std::shared_ptr<ServedModel> model)
      ABSL_LOCKS_EXCLUDED(mu_);
  // Takes a version out.  Errors: as Find.
  absl::StatusOr<std::shared_ptr<ServedModel>> Remove(absl::string_view name,
                                                      int64_t version)
      ABSL_LOCKS_EXCLUDED(mu_);

  // An empty name means the only model, version 0 the highest.
  // Errors: NOT_FOUND with near matches; INVALID_ARGUMENT no name though
  //   several models are served.
  absl::StatusOr<std::shared_ptr<ServedModel>> Find(absl::string_view name,
                                                    int64_t version) const
      ABSL_LOCKS_EXCLUDED(mu_);

  std::vector<std::shared_ptr<ServedModel>> All() const
      ABSL_LOCKS_EXCLUDED(mu_);

 private:
  using Versions = std::map<int64_t, std::shared_ptr<ServedModel>>;

  absl::StatusOr<std::string> NameFor(absl::string_view name) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<std::shared_ptr<ServedModel>> FindLocked(
      absl::string_view name, int64_t version) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable Mutex mu_;
  // No entry is empty.
  std::map<std::string, Versions> models_ ABSL_GUARDED_BY(mu_);
};

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_MODEL_TABLE_H_
