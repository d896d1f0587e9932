#include "server/services/health_registry.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace saliency {

void HealthRegistry::Publish(std::map<std::string, Health> names) {
  {
    MutexLock lock(&mu_);
    names_ = std::move(names);
  }
  Tell();
}

void HealthRegistry::StopServing() {
  {
    MutexLock lock(&mu_);
    stopped_ = true;
  }
  Tell();
}

void HealthRegistry::SetStalled(bool stalled) {
  {
    MutexLock lock(&mu_);
    stalled_ = stalled;
  }
  Tell();
}

void HealthRegistry::SetReachable(bool reachable) {
  {
    MutexLock lock(&mu_);
    reachable_ = reachable;
  }
  Tell();
}

void HealthRegistry::Close() {
  std::vector<std::shared_ptr<HealthWatcher>> living;
  {
    MutexLock lock(&mu_);
    closed_ = true;
    living = Living();
  }
  for (const auto& watcher : living) watcher->OnHealthClosed();
}

std::optional<Health> HealthRegistry::Get(const std::string& name) const {
  MutexLock lock(&mu_);
  const auto it = names_.find(name);
  if (it == names_.end()) return std::nullopt;
  return stopped_ || stalled_ || !reachable_ ? Health::kNotServing : it->second;
}

absl::Status HealthRegistry::Watch(
    const std::shared_ptr<HealthWatcher>& watcher) {
  bool closed = false;
  {
    MutexLock lock(&mu_);
    if (watchers_.size() >= kMaxHealthWatchers) {
      return absl::ResourceExhaustedError(
          absl::StrCat("too many watch the server's health; at most ",
                       kMaxHealthWatchers, " at a time"));
    }
    closed = closed_;
    if (!closed) watchers_.emplace(watcher.get(), watcher);
  }
  if (closed) watcher->OnHealthClosed();
  return absl::OkStatus();
}

void HealthRegistry::Unwatch(const HealthWatcher* watcher) {
  MutexLock lock(&mu_);
  watchers_.erase(watcher);
}

int HealthRegistry::watchers() const {
  MutexLock lock(&mu_);
  return static_cast<int>(watchers_.size());
}

std::vector<std::shared_ptr<HealthWatcher>> HealthRegistry::Living() const {
  std::vector<std::shared_ptr<HealthWatcher>> living;
  for (const auto& [key, weak] : watchers_) {
    if (auto watcher = weak.lock()) living.push_back(std::move(watcher));
  }
  return living;
}

void HealthRegistry::Tell() {
  std::vector<std::shared_ptr<HealthWatcher>> living;
  {
    MutexLock lock(&mu_);
    living = Living();
  }
  for (const auto& watcher : living) watcher->OnHealthChange();
}

std::map<std::string, Health> HealthOf(const ModelTable& models) {
  std::map<std::string, Health> names;
  for (const ModelVersionPtr& version : models.List()) {
    Health& health = names
                         .try_emplace(absl::StrCat("model/", version->model),
                                      Health::kNotServing)
                         .first->second;
    if (version->state == ModelState::kReady) health = Health::kServing;
  }
  const Health overall =
      models.AllRequiredReady() ? Health::kServing : Health::kNotServing;
  names[""] = overall;
  names["saliency.v1.SaliencyService"] = overall;
  // It answers about models in any state.
  names["saliency.v1.ModelService"] = Health::kServing;
  return names;
}

}  // namespace saliency
