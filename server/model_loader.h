// Loads every version of every model in the repository, in the background,
// while the server already listens.
// Thread-safe.

#ifndef SALIENCY_SERVER_MODEL_LOADER_H_
#define SALIENCY_SERVER_MODEL_LOADER_H_

#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "core/base/mutex.h"
#include "core/engine/engine.h"
#include "core/model/loaded_model.h"
#include "core/model/model_repository.h"
#include "server/log.h"
#include "server/metrics.h"
#include "server/model_catalogue.h"

namespace saliency {

// Reads, checks and warms up one version: its digest, its replicas, its labels
// and default layers.
// Errors: in words for callers: no paths, none of a library's text.
absl::StatusOr<std::shared_ptr<LoadedModel>> LoadVersion(
    const RepositoryModel& model, const RepositoryVersion& version);

class ModelLoader {
 public:
  // Starts loading at once, the highest version of each model first; each is
  // served by `engine` as soon as it is ready.  All references outlive this.
  ModelLoader(std::string repository, ModelCatalogue& catalogue, Engine& engine,
              Metrics& metrics, Log& log);
  // Waits for the version that is being loaded; the rest is left.
  ~ModelLoader();

  // Begins no further version.  Returns whether none is being loaded any more,
  // so that the destructor does not wait.
  bool Stop() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void Run();
  void Load(const RepositoryModel& model, const RepositoryVersion& version);
  void Fail(CatalogueVersion entry, const absl::Status& why);
  bool stopping() const ABSL_LOCKS_EXCLUDED(mu_);

  const std::string repository_;
  ModelCatalogue& catalogue_;
  Engine& engine_;
  Metrics& metrics_;
  Log& log_;
  mutable Mutex mu_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;  // last: uses all of the above
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_MODEL_LOADER_H_
