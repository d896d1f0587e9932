#include "server/calibration/layer_weights_store.h"

#include "absl/strings/str_cat.h"
#include "core/base/atomic_file.h"
#include "server/convert/layer_weights_text.h"

namespace saliency {
namespace {

constexpr char kFile[] = "layer_weights.pbtxt";

absl::Status Replaced(const ModelVersion& measured) {
  return absl::AbortedError(absl::StrCat("model \"", measured.model,
                                         "\" version ", measured.version,
                                         " was replaced in the meantime"));
}

}  // namespace

absl::Status LayerWeightsStore::Store(const ModelVersion& measured,
                                      const LayerWeights& weights) const {
  const auto now = models_.FindReady(measured.model, measured.version);
  if (!now.ok() || (*now)->sha256 != measured.sha256) return Replaced(measured);
  const absl::Status written = WriteFileDurably(
      absl::StrCat(measured.folder, "/", kFile), LayerWeightsText(weights));
  if (!written.ok()) {
    log_.Warning("layer weights not stored", {{"model", measured.model},
                                              {"version", measured.version},
                                              {"error", written.message()}});
    return absl::FailedPreconditionError(absl::StrCat(
        kFile, " cannot be written: is the model repository read-only?"));
  }
  if (!models_.SetLayerWeights(measured.model, measured.version,
                               measured.sha256, weights)) {
    return Replaced(measured);
  }
  log_.Info("layer weights stored", {{"model", measured.model},
                                     {"version", measured.version},
                                     {"images", weights.images},
                                     {"classes", weights.classes}});
  return absl::OkStatus();
}

}  // namespace saliency
