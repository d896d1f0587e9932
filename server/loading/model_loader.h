// Loads every version of every model in the repository, in the background,
// while the server already listens: side by side, each for a limited time, so
// that one that stalls holds up none of the others.
// Thread-safe.

#ifndef SALIENCY_SERVER_LOADING_MODEL_LOADER_H_
#define SALIENCY_SERVER_LOADING_MODEL_LOADER_H_

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "core/engine/engine.h"
#include "core/engine/model_table.h"
#include "core/model/loaded_model.h"
#include "core/serving/model_repository.h"
#include "server/loading/timed_tasks.h"
#include "server/telemetry/log.h"
#include "server/telemetry/metrics.h"

namespace saliency {

// Reads, checks and warms up one version: its digest, its replicas, its labels
// and default layers.
// Errors: in words for callers: no paths, none of a library's text.
absl::StatusOr<std::shared_ptr<LoadedModel>> LoadVersion(
    const RepositoryModel& model, const RepositoryVersion& version);

class ModelLoader {
 public:
  struct Options {
    std::string repository;
    int parallel_loads = 4;  // >= 1
    // Of one version, from its first byte to READY; zero: none.
    absl::Duration load_timeout = absl::Minutes(10);
    // How a version is loaded; must be thread-safe.
    std::function<absl::StatusOr<std::shared_ptr<LoadedModel>>(
        const RepositoryModel& model, const RepositoryVersion& version)>
        load = &LoadVersion;
  };

  // Starts loading at once, the highest version of each model first; each is
  // served by `engine` as soon as it is ready.  One whose time is up is FAILED;
  // its thread goes on by itself, and what it brings is dropped.  All
  // references outlive this.
  ModelLoader(Options options, Engine& engine, Metrics& metrics, Log& log,
              Clock& clock = Clock::Real());
  // Waits for the versions that are being loaded, until their time is up; the
  // rest is left.
  ~ModelLoader();

  // Begins no further version.  Returns whether none is being loaded any more,
  // in its time or after it, so that the process may end in good order.
  bool Stop() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // Returns whether no load is left behind.
  bool Run();
  std::vector<TimedTask> TasksFor(const RepositoryContents& contents);
  TimedTask TaskFor(const RepositoryModel& model,
                    const RepositoryVersion& version);
  void Finish(const RepositoryModel& model, const RepositoryVersion& version,
              absl::StatusOr<std::shared_ptr<LoadedModel>> loaded,
              absl::Duration took);
  void AskFirst(const ModelTable::Entry& loaded);
  void Fail(const std::string& model, int64_t version, const absl::Status& why);

  const Options options_;
  Engine& engine_;
  ModelTable& models_;  // the engine's
  Metrics& metrics_;
  Log& log_;
  Clock& clock_;
  TimedTasks tasks_;
  mutable Mutex mu_;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;  // last: uses all of the above
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_LOADING_MODEL_LOADER_H_
