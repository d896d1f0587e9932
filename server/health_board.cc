#include "server/health_board.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace saliency {

void HealthBoard::Publish(std::map<std::string, Health> names) {
  {
    MutexLock lock(&mu_);
    names_ = std::move(names);
  }
  Tell();
}

void HealthBoard::StopServing() {
  {
    MutexLock lock(&mu_);
    stopped_ = true;
  }
  Tell();
}

void HealthBoard::SetStalled(bool stalled) {
  {
    MutexLock lock(&mu_);
    stalled_ = stalled;
  }
  Tell();
}

void HealthBoard::Close() {
  std::vector<std::shared_ptr<HealthWatcher>> living;
  {
    MutexLock lock(&mu_);
    closed_ = true;
    living = Living();
  }
  for (const auto& watcher : living) watcher->OnHealthClosed();
}

std::optional<Health> HealthBoard::Get(const std::string& name) const {
  MutexLock lock(&mu_);
  const auto it = names_.find(name);
  if (it == names_.end()) return std::nullopt;
  return stopped_ || stalled_ ? Health::kNotServing : it->second;
}

void HealthBoard::Watch(const std::weak_ptr<HealthWatcher>& watcher) {
  bool closed = false;
  {
    MutexLock lock(&mu_);
    closed = closed_;
    if (!closed) watchers_.push_back(watcher);
  }
  if (!closed) return;
  if (const auto living = watcher.lock()) living->OnHealthClosed();
}

std::vector<std::shared_ptr<HealthWatcher>> HealthBoard::Living() {
  std::vector<std::shared_ptr<HealthWatcher>> living;
  std::erase_if(watchers_, [&](const std::weak_ptr<HealthWatcher>& weak) {
    std::shared_ptr<HealthWatcher> watcher = weak.lock();
    const bool gone = watcher == nullptr;
    if (!gone) living.push_back(std::move(watcher));
    return gone;
  });
  return living;
}

void HealthBoard::Tell() {
  std::vector<std::shared_ptr<HealthWatcher>> living;
  {
    MutexLock lock(&mu_);
    living = Living();
  }
  for (const auto& watcher : living) watcher->OnHealthChange();
}

std::map<std::string, Health> HealthOf(const ModelCatalogue& catalogue) {
  std::map<std::string, Health> names;
  for (const CatalogueVersion& version : catalogue.List()) {
    Health& health = names
                         .try_emplace(absl::StrCat("model/", version.model),
                                      Health::kNotServing)
                         .first->second;
    if (version.state == ModelState::kReady) health = Health::kServing;
  }
  const Health overall =
      catalogue.AllRequiredReady() ? Health::kServing : Health::kNotServing;
  names[""] = overall;
  names["saliency.v1.SaliencyService"] = overall;
  // It answers about models in any state.
  names["saliency.v1.ModelService"] = Health::kServing;
  return names;
}

}  // namespace saliency
