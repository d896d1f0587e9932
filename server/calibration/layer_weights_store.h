// Where calibrated weights go: into the version's folder, then to the engine
// and the catalogue, so that they are used and shown from then on. Thread-safe.

#ifndef SALIENCY_SERVER_CALIBRATION_LAYER_WEIGHTS_STORE_H_
#define SALIENCY_SERVER_CALIBRATION_LAYER_WEIGHTS_STORE_H_

#include <cstdint>
#include <functional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "core/model/layer_weights.h"
#include "server/loading/model_catalogue.h"
#include "server/telemetry/log.h"

namespace saliency {

class LayerWeightsStore {
 public:
  // Engine::SetLayerWeights.
  using UseWeights = std::function<absl::Status(
      absl::string_view model, int64_t version, LayerWeights weights)>;

  // Both references outlive this.
  LayerWeightsStore(ModelCatalogue& catalogue, Log& log, UseWeights use)
      : catalogue_(catalogue), log_(log), use_(std::move(use)) {}

  // `measured` is the version as it was when it was measured.  The file
  // layer_weights.pbtxt is whole, the old one or the new one, at any moment.
  // Errors: FAILED_PRECONDITION it cannot be written; ABORTED the version was
  //   replaced or taken away.  Then the old weights stay in use.
  absl::Status Store(const CatalogueVersion& measured,
                     const LayerWeights& weights) const;

 private:
  ModelCatalogue& catalogue_;
  Log& log_;
  const UseWeights use_;
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_CALIBRATION_LAYER_WEIGHTS_STORE_H_
