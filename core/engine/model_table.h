// Every version of every model and where it stands: the one answer to "can
// this model be asked", and the way to the workers that answer.
//
//   Reserve ─► loading ─► Publish ─► ready ─► Remove ─► gone
//                 └─────► Fail ────► failed
//
// A version that is ready stays so while another file of it is loaded: Publish
// puts the new one in its place, and Fail leaves the old one there.
// Thread-safe.

#ifndef SALIENCY_CORE_ENGINE_MODEL_TABLE_H_
#define SALIENCY_CORE_ENGINE_MODEL_TABLE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/mutex.h"
#include "core/engine/model_metadata.h"
#include "core/engine/run/batcher.h"

namespace saliency {

enum class ModelState { kLoading, kReady, kFailed };

// "loading", "ready", "failed": a metric's label.
absl::string_view ModelStateName(ModelState state);

// What is known of one version.  Value type; the table replaces it whole, so
// that whoever holds one goes on with what was true when it was found.
struct ModelVersion {
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
using ModelVersionPtr = std::shared_ptr<const ModelVersion>;

// The way to a version's workers, held by the table and by each job until it
// is queued.  When the last of them lets go, the queue is closed: the workers
// answer what is in it, and end.
class ServedModel {
 public:
  // REQUIRES: `batcher` is not null.
  explicit ServedModel(std::shared_ptr<Batcher> batcher)
      : batcher_(std::move(batcher)) {}
  ~ServedModel() { batcher_->Close(); }
  ServedModel(const ServedModel&) = delete;
  ServedModel& operator=(const ServedModel&) = delete;

  const std::shared_ptr<Batcher>& batcher() const { return batcher_; }

 private:
  const std::shared_ptr<Batcher> batcher_;
};

class ModelTable {
 public:
  // A version that is ready, and who answers for it.
  struct Entry {
    ModelVersionPtr version;
    std::shared_ptr<ServedModel> served;  // null unless ready
  };

  // `on_change` runs after every change, on the thread that made it, under no
  // lock.
  explicit ModelTable(std::function<void()> on_change = nullptr)
      : on_change_(std::move(on_change)) {}

  // Whoever loads models calls these.

  // The version is being loaded from now on, unless it is ready.
  void Reserve(absl::string_view model, int64_t version, bool required = true)
      ABSL_LOCKS_EXCLUDED(mu_);
  // The version is ready: jobs find it from now on.  One that was ready is
  // replaced; its jobs are answered by the workers that they were given to.
  // REQUIRES: `version` has metadata; `served` is not null.
  void Publish(ModelVersion version, std::shared_ptr<ServedModel> served)
      ABSL_LOCKS_EXCLUDED(mu_);
  // The version could not be loaded, for the reason in `message`.  No effect
  // on one that is ready, or that was removed meanwhile.
  void Fail(absl::string_view model, int64_t version, std::string message)
      ABSL_LOCKS_EXCLUDED(mu_);
  // Takes a version out, in whatever state; jobs that were given to its
  // workers are answered.  Errors: NOT_FOUND with near matches.
  absl::Status Remove(absl::string_view model, int64_t version)
      ABSL_LOCKS_EXCLUDED(mu_);
  // The repository has been listed: from here on an empty table means that
  // there are no models, and not that nobody has looked.
  void MarkListed() ABSL_LOCKS_EXCLUDED(mu_);
  // Replaces the weights of a version that is ready and whose file has the
  // digest `sha256`, for the jobs that are planned from now on; returns
  // whether there is one.
  bool SetLayerWeights(absl::string_view model, int64_t version,
                       absl::string_view sha256, LayerWeights weights)
      ABSL_LOCKS_EXCLUDED(mu_);

  // By name, then version.
  std::vector<ModelVersionPtr> List() const ABSL_LOCKS_EXCLUDED(mu_);
  // Those of the versions that are ready.
  std::vector<std::shared_ptr<ServedModel>> Served() const
      ABSL_LOCKS_EXCLUDED(mu_);

  // The version that a call for `model` (empty: the only one) and `version`
  // (0: the highest that is ready) is answered by.
  // Errors: NOT_FOUND with near matches; INVALID_ARGUMENT no name though there
  //   are several models, or a negative version; UNAVAILABLE when it is
  //   loading; FAILED_PRECONDITION with the reason when it could not be loaded,
  //   since trying again does not help.
  absl::StatusOr<Entry> Find(absl::string_view model, int64_t version) const
      ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<ModelVersionPtr> FindReady(absl::string_view model,
                                            int64_t version) const;

  // Every version of the model that Find would look at, in any state, and at
  // least one.  Errors: as Find's of the model.
  absl::StatusOr<std::vector<ModelVersionPtr>> FindModel(
      absl::string_view model) const ABSL_LOCKS_EXCLUDED(mu_);

  // Whether the repository is listed, has models, and each one that is marked
  // required has a version that is ready.
  bool AllRequiredReady() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  using Versions = std::map<int64_t, Entry>;  // never empty
  // What a lookup that fails takes along, so that words are made under no lock.
  struct Known {
    std::vector<ModelVersionPtr>
        versions;  // of the model; empty: there is none
    std::vector<std::string> models;
    bool listed = false;
  };

  // Null: there is none.
  const Versions* VersionsOf(absl::string_view model) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Known KnownOf(const Versions* versions) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Entry& EntryOf(absl::string_view model, int64_t version)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  static const Entry* ReadyIn(const Versions& versions, int64_t version);
  static absl::Status NoModel(absl::string_view model, const Known& known);
  void Changed() const ABSL_LOCKS_EXCLUDED(mu_);

  const std::function<void()> on_change_;
  mutable Mutex mu_;
  bool listed_ ABSL_GUARDED_BY(mu_) = false;
  std::map<std::string, Versions, std::less<>> models_ ABSL_GUARDED_BY(mu_);
};

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_MODEL_TABLE_H_
