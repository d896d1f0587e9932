// Which names are healthy, and who wants to hear when that changes.
// Thread-safe.

#ifndef SALIENCY_SERVER_SERVICES_HEALTH_REGISTRY_H_
#define SALIENCY_SERVER_SERVICES_HEALTH_REGISTRY_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "core/base/mutex.h"
#include "core/engine/model_table.h"

namespace saliency {

enum class Health { kServing, kNotServing };

// Watches at a time.  One costs a call of gRPC's, some 20 KB.
inline constexpr int kMaxHealthWatchers = 1000;

// Hears of changes on the thread that made them; must not block.
class HealthWatcher {
 public:
  virtual ~HealthWatcher() = default;
  virtual void OnHealthChange() = 0;
  // No health is told from now on.
  virtual void OnHealthClosed() = 0;
};

class HealthRegistry {
 public:
  // Replaces all names: one that is absent is forgotten.
  void Publish(std::map<std::string, Health> names) ABSL_LOCKS_EXCLUDED(mu_);
  // Every name, now and later, is kNotServing.
  void StopServing() ABSL_LOCKS_EXCLUDED(mu_);
  // While stalled every name is kNotServing.
  void SetStalled(bool stalled) ABSL_LOCKS_EXCLUDED(mu_);
  // While not, every name is kNotServing.
  void SetReachable(bool reachable) ABSL_LOCKS_EXCLUDED(mu_);
  // Tells the watchers to end; later ones are told at once.
  void Close() ABSL_LOCKS_EXCLUDED(mu_);

  // nullopt for a name that is not known.
  std::optional<Health> Get(const std::string& name) const
      ABSL_LOCKS_EXCLUDED(mu_);

  // Tells `watcher` of every change until Unwatch.
  // Errors: RESOURCE_EXHAUSTED too many watch.
  absl::Status Watch(const std::shared_ptr<HealthWatcher>& watcher)
      ABSL_LOCKS_EXCLUDED(mu_);
  void Unwatch(const HealthWatcher* watcher) ABSL_LOCKS_EXCLUDED(mu_);

  int watchers() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // The watchers that still live.
  std::vector<std::shared_ptr<HealthWatcher>> Living() const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Tell() ABSL_LOCKS_EXCLUDED(mu_);

  mutable Mutex mu_;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  bool stalled_ ABSL_GUARDED_BY(mu_) = false;
  bool reachable_ ABSL_GUARDED_BY(mu_) = true;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  std::map<std::string, Health> names_ ABSL_GUARDED_BY(mu_);
  // Weak, and gone with Unwatch: nothing is kept of a watch that has ended.
  std::map<const HealthWatcher*, std::weak_ptr<HealthWatcher>> watchers_
      ABSL_GUARDED_BY(mu_);
};

// The names and healths that the models stand for: "" for the server (serving
// when it has models and every required one is ready), one for each gRPC
// service, one for each "model/<name>" (serving when a version is ready).
std::map<std::string, Health> HealthOf(const ModelTable& models);

}  // namespace saliency

#endif  // SALIENCY_SERVER_SERVICES_HEALTH_REGISTRY_H_
