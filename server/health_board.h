// Which names are healthy, and who wants to hear when that changes.
// Thread-safe.

#ifndef SALIENCY_SERVER_HEALTH_BOARD_H_
#define SALIENCY_SERVER_HEALTH_BOARD_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/base/mutex.h"
#include "server/model_catalogue.h"

namespace saliency {

enum class Health { kServing, kNotServing };

// Hears of changes on the thread that made them; must not block.
class HealthWatcher {
 public:
  virtual ~HealthWatcher() = default;
  virtual void OnHealthChange() = 0;
  // No health is told from now on.
  virtual void OnHealthClosed() = 0;
};

class HealthBoard {
 public:
  // Replaces all names: one that is absent is forgotten.
  void Publish(std::map<std::string, Health> names) ABSL_LOCKS_EXCLUDED(mu_);
  // Every name, now and later, is kNotServing.
  void StopServing() ABSL_LOCKS_EXCLUDED(mu_);
  // While stalled every name is kNotServing.
  void SetStalled(bool stalled) ABSL_LOCKS_EXCLUDED(mu_);
  // Tells the watchers to end; later ones are told at once.
  void Close() ABSL_LOCKS_EXCLUDED(mu_);

  // nullopt for a name that is not known.
  std::optional<Health> Get(const std::string& name) const
      ABSL_LOCKS_EXCLUDED(mu_);

  // Tells `watcher` of every change, as long as somebody else owns it.
  void Watch(const std::weak_ptr<HealthWatcher>& watcher)
      ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // The watchers that still live; forgets the others.
  std::vector<std::shared_ptr<HealthWatcher>> Living()
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Tell() ABSL_LOCKS_EXCLUDED(mu_);

  mutable Mutex mu_;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  bool stalled_ ABSL_GUARDED_BY(mu_) = false;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  std::map<std::string, Health> names_ ABSL_GUARDED_BY(mu_);
  std::vector<std::weak_ptr<HealthWatcher>> watchers_ ABSL_GUARDED_BY(mu_);
};

// The names and healths that a catalogue stands for: "" for the server (serving
// when it has models and every required one is ready), one for each gRPC
// service, one for each "model/<name>" (serving when a version is ready).
std::map<std::string, Health> HealthOf(const ModelCatalogue& catalogue);

}  // namespace saliency

#endif  // SALIENCY_SERVER_HEALTH_BOARD_H_
