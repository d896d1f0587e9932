// saliency.v1.ModelService: answers from the catalogue, and has models
// calibrated.
// Thread-safe.

#ifndef SALIENCY_SERVER_SERVICES_MODEL_SERVICE_H_
#define SALIENCY_SERVER_SERVICES_MODEL_SERVICE_H_

#include "server/calibration/calibrations.h"
#include "server/loading/model_catalogue.h"
#include "server/transport/call_tracker.h"
#include "server/transport/streamed_service.h"

namespace saliency {

class ModelService : public StreamedService {
 public:
  // All outlive this.  Null `calibrations`: the server allows none.
  ModelService(const ModelCatalogue& catalogue, CallTracker& tracker,
               Calibrations* calibrations);

 private:
  void ServeCalibrate();

  const ModelCatalogue& catalogue_;
  CallTracker& tracker_;
  Calibrations* const calibrations_;
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_SERVICES_MODEL_SERVICE_H_
