// saliency.v1.SaliencyService: converts, submits, converts back.
// Thread-safe.

#ifndef SALIENCY_SERVER_SERVICES_SALIENCY_SERVICE_H_
#define SALIENCY_SERVER_SERVICES_SALIENCY_SERVICE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "core/engine/engine_limits.h"
#include "core/engine/job.h"
#include "core/engine/model_table.h"
#include "core/engine/run/cascading_randomization.h"
#include "saliency/v1/saliency_service.pb.h"
#include "server/services/randomization_threads.h"
#include "server/services/stream_item.h"
#include "server/services/weight_sensitivity_call.h"
#include "server/transport/call_tracker.h"
#include "server/transport/pending_call.h"
#include "server/transport/streamed_service.h"
#include "server/transport/transport_options.h"

namespace saliency {

// Makes private copies of a version; `seed` is that of their random weights.
using CopiesOfModel =
    std::function<CopyModel(const ModelVersion& version, uint64_t seed)>;

// Engine::HoldBytes.
using HoldBytes = std::function<absl::StatusOr<std::shared_ptr<void>>(
    const std::string& caller, int64_t bytes)>;

struct ServiceOptions {
  StreamLimits stream;
  // Calls of MeasureWeightSensitivity at a time, each with a copy of its model.
  int max_weight_studies = 1;  // >= 1
  CopiesOfModel copies;        // null: from the version's file
  HoldBytes hold_bytes;        // of weight studies; null: they are not counted
};

class SaliencyService : public StreamedService {
 public:
  // `in_hand` is where weight studies are noted.  It, `models`, `tracker`
  // and what `submit` refers to outlive this.
  SaliencyService(const EngineLimits& limits, const ModelTable& models,
                  CallTracker& tracker, SubmitJob submit, WorkInHand& in_hand,
                  ServiceOptions options = {});

 private:
  template <typename Request, typename Response>
  void ServeUnary(const char* method);
  void ServeStream();
  void ServeWeightSensitivity();
  // Answers `request`, whoever brought it; `response` lives as long as `call`.
  template <typename Request, typename Response>
  void Answer(PendingCall& call, const Request& request, Response* response);
  void AnswerStreamed(StreamItem& question,
                      const v1::StreamSaliencyRequest& request);
  // All stages, on the call's own thread.
  absl::Status StudyWeights(WeightSensitivityCall& call,
                            const v1::MeasureWeightSensitivityRequest& request);
  CopyModel CopiesFor(const ModelVersion& version, uint64_t seed) const;
  // The memory of all its messages, of which there are two at a time.
  absl::StatusOr<std::shared_ptr<void>> HoldForStudy(
      const Job& job, const ModelVersion& version) const;

  const EngineLimits limits_;
  const ModelTable& models_;
  CallTracker& tracker_;
  const SubmitJob submit_;
  WorkInHand& in_hand_;
  const ServiceOptions options_;
  RandomizationThreads studies_;  // last: its threads use all of the above
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_SERVICES_SALIENCY_SERVICE_H_
