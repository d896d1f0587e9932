// Where calibrated weights go: into the version's folder, then into the table
// of models, so that they are used and shown from then on.
// Thread-safe.

#ifndef SALIENCY_SERVER_CALIBRATION_LAYER_WEIGHTS_STORE_H_
#define SALIENCY_SERVER_CALIBRATION_LAYER_WEIGHTS_STORE_H_

#include "absl/status/status.h"
#include "core/engine/model_table.h"
#include "core/model/layer_weights.h"
#include "server/telemetry/log.h"

namespace saliency {

class LayerWeightsStore {
 public:
  // Both references outlive this.
  LayerWeightsStore(ModelTable& models, Log& log)
      : models_(models), log_(log) {}

  // `measured` is the version as it was when it was measured.  The file
  // layer_weights.pbtxt is whole, the old one or the new one, at any moment.
  // Errors: FAILED_PRECONDITION it cannot be written; ABORTED the version was
  //   replaced or taken away.  Then the old weights stay in use.
  absl::Status Store(const ModelVersion& measured,
                     const LayerWeights& weights) const;

 private:
  ModelTable& models_;
  Log& log_;
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_CALIBRATION_LAYER_WEIGHTS_STORE_H_
