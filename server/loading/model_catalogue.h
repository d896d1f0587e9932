// Every version of every model in the repository and where it stands: the one
// answer to "can this model be asked" that ListModels, GetModel, health and
// metrics share.
// Thread-safe.

#ifndef SALIENCY_SERVER_LOADING_MODEL_CATALOGUE_H_
#define SALIENCY_SERVER_LOADING_MODEL_CATALOGUE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/mutex.h"
#include "core/engine/model_metadata.h"

namespace saliency {

enum class ModelState { kLoading, kReady, kFailed };

// "loading", "ready", "failed": a metric's label.
absl::string_view ModelStateName(ModelState state);

struct CatalogueVersion {
  std::string model;
  int64_t version = 0;
  ModelState state = ModelState::kLoading;
  // Why it failed, or what its self-check limits; for callers.
  std::string message;
  bool required = true;  // overall health waits for it
  // Set when ready.
  std::shared_ptr<const ModelMetadata> metadata;
  std::string sha256;  // hex digest of the file
  std::string folder;  // of the version; for opening, never for messages
};

class ModelCatalogue {
 public:
  // Runs after every change, on the thread that made it, under no lock.
  explicit ModelCatalogue(std::function<void()> on_change = nullptr)
      : on_change_(std::move(on_change)) {}

  // Adds a version or replaces what was known of it.
  void Set(CatalogueVersion version) ABSL_LOCKS_EXCLUDED(mu_);
  // Replaces the weights of a version that is ready and whose file has the
  // digest `sha256`; returns whether there is one.
  bool SetLayerWeights(absl::string_view model, int64_t version,
                       absl::string_view sha256, LayerWeights weights)
      ABSL_LOCKS_EXCLUDED(mu_);
  // The repository has been listed: from here on an empty catalogue means that
  // there are no models, and not that nobody has looked.
  void MarkListed() ABSL_LOCKS_EXCLUDED(mu_);

  // By name, then version.
  std::vector<CatalogueVersion> List() const ABSL_LOCKS_EXCLUDED(mu_);

  // The version that a call for `model` (empty: the only one) and `version`
  // (0: the highest that is ready) is answered by.
  // Errors: NOT_FOUND with near matches; INVALID_ARGUMENT no name though there
  //   are several models, or a negative version; UNAVAILABLE when it is
  //   loading; FAILED_PRECONDITION with the reason when it could not be loaded,
  //   since trying again does not help.
  absl::StatusOr<CatalogueVersion> FindReady(absl::string_view model,
                                             int64_t version) const
      ABSL_LOCKS_EXCLUDED(mu_);

  // Every version of the model that FindReady would look at, in any state.
  absl::StatusOr<std::vector<CatalogueVersion>> FindModel(
      absl::string_view model) const ABSL_LOCKS_EXCLUDED(mu_);

  // Whether the repository is listed, has models, and each one that is marked
  // required has a version that is ready.
  bool AllRequiredReady() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  using Key = std::pair<std::string, int64_t>;

  const std::function<void()> on_change_;
  mutable Mutex mu_;
  bool listed_ ABSL_GUARDED_BY(mu_) = false;
  std::map<Key, CatalogueVersion> versions_ ABSL_GUARDED_BY(mu_);
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_LOADING_MODEL_CATALOGUE_H_
