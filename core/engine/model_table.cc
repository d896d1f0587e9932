#include "core/engine/model_table.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/near_names.h"
#include "core/base/status.h"
#include "core/engine/refusal.h"

namespace saliency {
namespace {

absl::Status NotReady(const ModelVersion& version) {
  const std::string what =
      absl::StrCat("model \"", version.model, "\" version ", version.version);
  if (version.state == ModelState::kLoading) {
    return ModelLoadingError(absl::StrCat(what, " is loading"));
  }
  return FailedModelError(
      absl::StrCat(what, " failed to load: ", version.message));
}

// "a", "b", ...: the first few.
std::string FirstOf(const std::vector<std::string>& names) {
  constexpr std::size_t kNamed = 5;
  const auto end = names.begin() + std::min(kNamed, names.size());
  const std::string first =
      absl::StrCat("\"", absl::StrJoin(names.begin(), end, "\", \""), "\"");
  return names.size() > kNamed ? absl::StrCat(first, ", ...") : first;
}

absl::Status NoVersion(const std::vector<ModelVersionPtr>& versions,
                       int64_t version) {
  std::vector<std::string> known;
  for (const ModelVersionPtr& v : versions) {
    known.push_back(absl::StrCat(v->version));
  }
  return absl::NotFoundError(absl::StrCat(
      "model \"", versions.front()->model,
      "\": ", NotFoundMessage("version", absl::StrCat(version), known)));
}

// Why none of `versions` answers for `version`.
absl::Status NoneReady(const std::vector<ModelVersionPtr>& versions,
                       int64_t version) {
  if (version == 0) {
    const auto loading = std::find_if(versions.rbegin(), versions.rend(),
                                      [](const ModelVersionPtr& v) {
                                        return v->state == ModelState::kLoading;
                                      });
    return NotReady(loading != versions.rend() ? **loading : *versions.back());
  }
  const auto wanted = std::find_if(
      versions.begin(), versions.end(),
      [&](const ModelVersionPtr& v) { return v->version == version; });
  if (wanted != versions.end()) return NotReady(**wanted);
  return NoVersion(versions, version);
}

}  // namespace

absl::string_view ModelStateName(ModelState state) {
  switch (state) {
    case ModelState::kLoading:
      return "loading";
    case ModelState::kReady:
      return "ready";
    case ModelState::kFailed:
      return "failed";
  }
  return "";
}

void ModelTable::Reserve(absl::string_view model, int64_t version,
                         bool required) {
  {
    MutexLock lock(&mu_);
    Entry& entry = EntryOf(model, version);
    ModelVersion changed = *entry.version;
    changed.required = required;
    if (changed.state != ModelState::kReady) {
      changed.state = ModelState::kLoading;
      changed.message.clear();
    }
    entry.version = std::make_shared<const ModelVersion>(std::move(changed));
  }
  Changed();
}

void ModelTable::Publish(ModelVersion version,
                         std::shared_ptr<ServedModel> served) {
  version.state = ModelState::kReady;
  Entry entry = {std::make_shared<const ModelVersion>(std::move(version)),
                 std::move(served)};
  {
    MutexLock lock(&mu_);
    std::swap(EntryOf(entry.version->model, entry.version->version), entry);
  }
  Changed();
  // Here the old one goes, under no lock.
}

void ModelTable::Fail(absl::string_view model, int64_t version,
                      std::string message) {
  {
    MutexLock lock(&mu_);
    const auto versions = models_.find(model);
    if (versions == models_.end()) return;
    const auto found = versions->second.find(version);
    if (found == versions->second.end()) return;
    Entry& entry = found->second;
    if (entry.version->state == ModelState::kReady) return;
    ModelVersion changed = *entry.version;
    changed.state = ModelState::kFailed;
    changed.message = std::move(message);
    entry.version = std::make_shared<const ModelVersion>(std::move(changed));
  }
  Changed();
}

absl::Status ModelTable::Remove(absl::string_view model, int64_t version) {
  Entry removed;  // goes under no lock
  Known known;
  {
    MutexLock lock(&mu_);
    const auto versions = models_.find(model);
    if (versions == models_.end()) {
      known = KnownOf(nullptr);
    } else if (const auto found = versions->second.find(version);
               found == versions->second.end()) {
      known = KnownOf(&versions->second);
    } else {
      removed = std::move(found->second);
      versions->second.erase(found);
      if (versions->second.empty()) models_.erase(versions);
    }
  }
  if (removed.version == nullptr) {
    if (known.versions.empty()) return NoModel(model, known);
    return NoVersion(known.versions, version);
  }
  Changed();
  return absl::OkStatus();
}

void ModelTable::MarkListed() {
  {
    MutexLock lock(&mu_);
    listed_ = true;
  }
  Changed();
}

bool ModelTable::SetLayerWeights(absl::string_view model, int64_t version,
                                 absl::string_view sha256,
                                 LayerWeights weights) {
  {
    MutexLock lock(&mu_);
    const Versions* versions = VersionsOf(model);
    if (versions == nullptr || ReadyIn(*versions, version) == nullptr) {
      return false;
    }
    Entry& entry = EntryOf(model, version);
    if (entry.version->sha256 != sha256) return false;
    auto metadata = std::make_shared<ModelMetadata>(*entry.version->metadata);
    metadata->layer_weights = std::move(weights);
    ModelVersion changed = *entry.version;
    changed.metadata = std::move(metadata);
    entry.version = std::make_shared<const ModelVersion>(std::move(changed));
  }
  Changed();
  return true;
}

std::vector<ModelVersionPtr> ModelTable::List() const {
  MutexLock lock(&mu_);
  std::vector<ModelVersionPtr> all;
  for (const auto& [name, versions] : models_) {
    for (const auto& [number, entry] : versions) all.push_back(entry.version);
  }
  return all;
}

std::vector<std::shared_ptr<ServedModel>> ModelTable::Served() const {
  MutexLock lock(&mu_);
  std::vector<std::shared_ptr<ServedModel>> served;
  for (const auto& [name, versions] : models_) {
    for (const auto& [number, entry] : versions) {
      if (entry.served != nullptr) served.push_back(entry.served);
    }
  }
  return served;
}

absl::StatusOr<ModelTable::Entry> ModelTable::Find(absl::string_view model,
                                                   int64_t version) const {
  if (version < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("model.version: ", version, " is less than 1"));
  }
  Known known;
  {
    MutexLock lock(&mu_);
    const Versions* versions = VersionsOf(model);
    if (versions != nullptr) {
      const Entry* ready = ReadyIn(*versions, version);
      if (ready != nullptr) return *ready;
    }
    known = KnownOf(versions);
  }
  if (known.versions.empty()) return NoModel(model, known);
  return NoneReady(known.versions, version);
}

absl::StatusOr<ModelVersionPtr> ModelTable::FindReady(absl::string_view model,
                                                      int64_t version) const {
  ASSIGN_OR_RETURN(Entry entry, Find(model, version));
  return std::move(entry.version);
}

absl::StatusOr<std::vector<ModelVersionPtr>> ModelTable::FindModel(
    absl::string_view model) const {
  Known known;
  {
    MutexLock lock(&mu_);
    known = KnownOf(VersionsOf(model));
  }
  if (known.versions.empty()) return NoModel(model, known);
  return std::move(known.versions);
}

bool ModelTable::AllRequiredReady() const {
  MutexLock lock(&mu_);
  for (const auto& [name, versions] : models_) {
    bool required = false;
    bool ready = false;  // of the versions that are required
    for (const auto& [number, entry] : versions) {
      if (!entry.version->required) continue;
      required = true;
      ready |= entry.version->state == ModelState::kReady;
    }
    if (required && !ready) return false;
  }
  return listed_ && !models_.empty();
}

const ModelTable::Versions* ModelTable::VersionsOf(
    absl::string_view model) const {
  if (model.empty() && models_.size() == 1) return &models_.begin()->second;
  const auto found = models_.find(model);
  return found == models_.end() ? nullptr : &found->second;
}

ModelTable::Known ModelTable::KnownOf(const Versions* versions) const {
  Known known = {.listed = listed_};
  if (versions != nullptr) {
    for (const auto& [number, entry] : *versions) {
      known.versions.push_back(entry.version);
    }
  } else {
    for (const auto& [name, unused] : models_) known.models.push_back(name);
  }
  return known;
}

ModelTable::Entry& ModelTable::EntryOf(absl::string_view model,
                                       int64_t version) {
  Entry& entry = models_[std::string(model)][version];
  if (entry.version == nullptr) {
    entry.version = std::make_shared<const ModelVersion>(
        ModelVersion{.model = std::string(model), .version = version});
  }
  return entry;
}

const ModelTable::Entry* ModelTable::ReadyIn(const Versions& versions,
                                             int64_t version) {
  const auto is_ready = [](const Versions::value_type& v) {
    return v.second.version->state == ModelState::kReady;
  };
  if (version == 0) {
    const auto highest =
        std::find_if(versions.rbegin(), versions.rend(), is_ready);
    return highest == versions.rend() ? nullptr : &highest->second;
  }
  const auto found = versions.find(version);
  if (found == versions.end() || !is_ready(*found)) return nullptr;
  return &found->second;
}

absl::Status ModelTable::NoModel(absl::string_view model, const Known& known) {
  if (model.empty() && known.models.size() > 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("model.name: not set, but the server has ",
                     known.models.size(), " models: ", FirstOf(known.models)));
  }
  if (!known.listed) return ModelLoadingError("the models are not listed yet");
  if (known.models.empty()) {
    return absl::NotFoundError("the server has no models");
  }
  return absl::NotFoundError(NotFoundMessage("model", model, known.models));
}

void ModelTable::Changed() const {
  if (on_change_) on_change_();
}

}  // namespace saliency
