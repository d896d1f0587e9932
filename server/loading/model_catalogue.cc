#include "server/loading/model_catalogue.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/base/near_names.h"
#include "core/base/status.h"
#include "server/convert/refusal_reason.h"

namespace saliency {
namespace {

std::vector<std::string> ModelNames(
    const std::vector<CatalogueVersion>& versions) {
  std::vector<std::string> names;
  for (const CatalogueVersion& version : versions) {
    if (names.empty() || names.back() != version.model) {
      names.push_back(version.model);
    }
  }
  return names;
}

absl::Status NotReady(const CatalogueVersion& version) {
  const std::string what =
      absl::StrCat("model \"", version.model, "\" version ", version.version);
  if (version.state == ModelState::kLoading) {
    return UnavailableBecause("loading", absl::StrCat(what, " is loading"));
  }
  return FailedModelError(
      absl::StrCat(what, " failed to load: ", version.message));
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

void ModelCatalogue::Set(CatalogueVersion version) {
  {
    MutexLock lock(&mu_);
    Key key(version.model, version.version);
    versions_.insert_or_assign(std::move(key), std::move(version));
  }
  if (on_change_) on_change_();
}

bool ModelCatalogue::SetLayerWeights(absl::string_view model, int64_t version,
                                     absl::string_view sha256,
                                     LayerWeights weights) {
  {
    MutexLock lock(&mu_);
    const auto found = versions_.find(Key(model, version));
    if (found == versions_.end() || found->second.metadata == nullptr ||
        found->second.sha256 != sha256) {
      return false;
    }
    ModelMetadata metadata = *found->second.metadata;
    metadata.layer_weights = std::move(weights);
    found->second.metadata =
        std::make_shared<const ModelMetadata>(std::move(metadata));
  }
  if (on_change_) on_change_();
  return true;
}

void ModelCatalogue::MarkListed() {
  {
    MutexLock lock(&mu_);
    listed_ = true;
  }
  if (on_change_) on_change_();
}

std::vector<CatalogueVersion> ModelCatalogue::List() const {
  MutexLock lock(&mu_);
  std::vector<CatalogueVersion> versions;
  versions.reserve(versions_.size());
  for (const auto& [key, version] : versions_) versions.push_back(version);
  return versions;
}

absl::StatusOr<std::vector<CatalogueVersion>> ModelCatalogue::FindModel(
    absl::string_view model) const {
  std::vector<CatalogueVersion> versions = List();
  const std::vector<std::string> names = ModelNames(versions);
  if (model.empty() && names.size() > 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "model.name: not set, but the server has ", names.size(), " models"));
  }
  std::string wanted(model);
  if (model.empty() && names.size() == 1) wanted = names.front();
  std::erase_if(versions, [&](const CatalogueVersion& version) {
    return version.model != wanted;
  });
  if (!versions.empty()) return versions;
  bool listed = false;
  {
    MutexLock lock(&mu_);
    listed = listed_;
  }
  if (!listed) {
    return UnavailableBecause("loading", "the models are not listed yet");
  }
  if (names.empty()) return absl::NotFoundError("the server has no models");
  return absl::NotFoundError(NotFoundMessage("model", wanted, names));
}

absl::StatusOr<CatalogueVersion> ModelCatalogue::FindReady(
    absl::string_view model, int64_t version) const {
  if (version < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("model.version: ", version, " is less than 1"));
  }
  ASSIGN_OR_RETURN(const std::vector<CatalogueVersion> versions,
                   FindModel(model));
  if (version != 0) {
    const auto it = std::find_if(
        versions.begin(), versions.end(),
        [&](const CatalogueVersion& v) { return v.version == version; });
    if (it == versions.end()) {
      std::vector<std::string> known;
      for (const CatalogueVersion& v : versions) {
        known.push_back(absl::StrCat(v.version));
      }
      return absl::NotFoundError(absl::StrCat(
          "model \"", versions.front().model,
          "\": ", NotFoundMessage("version", absl::StrCat(version), known)));
    }
    if (it->state != ModelState::kReady) return NotReady(*it);
    return *it;
  }
  const auto highest = [&](ModelState state) {
    return std::find_if(
        versions.rbegin(), versions.rend(),
        [&](const CatalogueVersion& v) { return v.state == state; });
  };
  if (const auto it = highest(ModelState::kReady); it != versions.rend()) {
    return *it;
  }
  if (const auto it = highest(ModelState::kLoading); it != versions.rend()) {
    return NotReady(*it);
  }
  return NotReady(versions.back());
}

bool ModelCatalogue::AllRequiredReady() const {
  MutexLock lock(&mu_);
  std::map<absl::string_view, bool> ready;  // of the required models
  for (const auto& [key, version] : versions_) {
    if (!version.required) continue;
    ready[key.first] |= version.state == ModelState::kReady;
  }
  return listed_ && !versions_.empty() &&
         std::all_of(ready.begin(), ready.end(),
                     [](const auto& entry) { return entry.second; });
}

}  // namespace saliency
