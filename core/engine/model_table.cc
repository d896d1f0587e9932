#include "core/engine/model_table.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/near_names.h"
#include "core/base/status.h"

namespace saliency {

std::shared_ptr<const ModelMetadata> ServedModel::metadata() const {
  MutexLock lock(&mu_);
  return metadata_;
}

void ServedModel::SetLayerWeights(LayerWeights weights) {
  ModelMetadata changed = *metadata();
  changed.layer_weights = std::move(weights);
  auto metadata = std::make_shared<const ModelMetadata>(std::move(changed));
  MutexLock lock(&mu_);
  metadata_.swap(metadata);
}

std::shared_ptr<ServedModel> ModelTable::Put(
    std::shared_ptr<ServedModel> model) {
  const std::shared_ptr<const ModelMetadata> metadata = model->metadata();
  MutexLock lock(&mu_);
  std::shared_ptr<ServedModel>& entry =
      models_[metadata->name][metadata->version];
  return std::exchange(entry, std::move(model));
}

absl::StatusOr<std::shared_ptr<ServedModel>> ModelTable::Remove(
    absl::string_view name, int64_t version) {
  MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(std::shared_ptr<ServedModel> model,
                   FindLocked(name, version));
  const std::shared_ptr<const ModelMetadata> metadata = model->metadata();
  const auto versions = models_.find(metadata->name);
  versions->second.erase(metadata->version);
  if (versions->second.empty()) models_.erase(versions);
  return model;
}

absl::StatusOr<std::shared_ptr<ServedModel>> ModelTable::Find(
    absl::string_view name, int64_t version) const {
  MutexLock lock(&mu_);
  return FindLocked(name, version);
}

std::vector<std::shared_ptr<ServedModel>> ModelTable::All() const {
  std::vector<std::shared_ptr<ServedModel>> all;
  MutexLock lock(&mu_);
  for (const auto& [name, versions] : models_) {
    for (const auto& [version, model] : versions) all.push_back(model);
  }
  return all;
}

absl::StatusOr<std::string> ModelTable::NameFor(absl::string_view name) const {
  if (!name.empty()) return std::string(name);
  if (models_.size() == 1) return models_.begin()->first;
  if (models_.empty()) return absl::NotFoundError("no model is served");
  return absl::InvalidArgumentError(absl::StrCat(
      "model is required, since ", models_.size(), " models are served"));
}

absl::StatusOr<std::shared_ptr<ServedModel>> ModelTable::FindLocked(
    absl::string_view name, int64_t version) const {
  ASSIGN_OR_RETURN(const std::string key, NameFor(name));
  const auto versions = models_.find(key);
  if (versions == models_.end()) {
    std::vector<std::string> known;
    for (const auto& [other, unused] : models_) known.push_back(other);
    return absl::NotFoundError(NotFoundMessage("model", key, known));
  }
  if (version == 0) return versions->second.rbegin()->second;
  const auto found = versions->second.find(version);
  if (found != versions->second.end()) return found->second;
  return absl::NotFoundError(
      absl::StrCat("version ", version, " of model \"", Printable(key),
                   "\" not found; served: ",
                   absl::StrJoin(versions->second, ", ",
                                 [](std::string* out, const auto& entry) {
                                   absl::StrAppend(out, entry.first);
                                 })));
}

}  // namespace saliency
