// saliency.v1.ModelService: answers from the table of models, and has
// models calibrated.
// Thread-safe.

#ifndef SALIENCY_SERVER_SERVICES_MODEL_SERVICE_H_
#define SALIENCY_SERVER_SERVICES_MODEL_SERVICE_H_

#include "core/engine/model_table.h"
#include "server/calibration/calibrations.h"
#include "server/transport/call_tracker.h"
#include "server/transport/streamed_service.h"

namespace saliency {

class ModelService : public StreamedService {
 public:
  // All outlive this.  Null `calibrations`: the server allows none.
  ModelService(const ModelTable& models, CallTracker& tracker,
               Calibrations* calibrations);

 private:
  void ServeCalibrate();

  const ModelTable& models_;
  CallTracker& tracker_;
  Calibrations* const calibrations_;
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_SERVICES_MODEL_SERVICE_H_
