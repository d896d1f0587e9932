// One calibration from the first image to the stored weights: sends images
// through the engine, a window of them at a time, keeps a sample of their
// features, trains, stores, and tells the caller how far it is.
// Thread-compatible: belongs to one thread, which may wait.

#ifndef SALIENCY_SERVER_CALIBRATION_CALIBRATION_RUN_H_
#define SALIENCY_SERVER_CALIBRATION_CALIBRATION_RUN_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/attribution/class_sample.h"
#include "core/base/cancel_token.h"
#include "core/base/clock.h"
#include "core/engine/engine_limits.h"
#include "core/engine/work_in_hand.h"
#include "saliency/v1/model_service.pb.h"
#include "server/calibration/calibration_call.h"
#include "server/calibration/calibration_plan.h"
#include "server/calibration/event_queue.h"
#include "server/calibration/layer_weights_store.h"
#include "server/calibration/response_writer.h"

namespace saliency {

// What all calibrations of a server share; references outlive them.
struct CalibrationTools {
  EngineLimits limits;
  SubmitJob submit;
  Clock& clock;
  const LayerWeightsStore& store;
  WorkInHand& in_hand;  // where the training of classifiers is noted
  // How long a caller may take for its next message, or to take one of ours.
  absl::Duration idle_timeout = absl::Minutes(5);
  int64_t max_feature_bytes = int64_t{1} << 30;  // that a calibration keeps
};

class CalibrationRun {
 public:
  // Both references outlive this.
  CalibrationRun(const CalibrationTools& tools, CalibrationCall& call,
                 CalibrationPlan plan);

  // Calibrates and sends the result.  When it returns nothing is in the engine
  // and no message is on its way.
  // Errors: for the caller.
  absl::Status Run();

  int64_t images_run() const { return images_run_; }

 private:
  // An image in the engine, or to be sent there again.
  struct InWork {
    std::string id;
    ImageClasses classes;
    JobInput input;  // for another try
    int64_t bytes = 0;
    std::shared_ptr<CancelToken> cancel;
  };

  absl::Status Collect();
  absl::Status Measure();
  // Ends what is under way, without looking at what comes of it.
  void Abandon();

  // Waits for the next thing to happen and deals with it.
  absl::Status Turn();
  // The same with what has happened already.
  absl::Status CatchUp();
  // Until all messages have left.
  absl::Status Flush();
  absl::Status Handle(CalibrationEvent event);
  absl::Status On(v1::CalibrateLayerWeightsRequest message);
  absl::Status On(CallerIsDone);
  absl::Status On(MessageLeft left);
  absl::Status On(ImageAnswer answer);

  void Accept(const v1::LabelledImage& image);
  void Submit(int64_t number);
  void SubmitAgain();
  void Reject(const std::string& id, const absl::Status& why);
  void CountImage();

  bool WantsMessage() const;
  // When Turn has waited long enough.
  absl::Time WakeTime() const;

  const CalibrationTools& tools_;
  CalibrationCall& call_;
  const std::shared_ptr<EventQueue> events_;
  const CalibrationPlan plan_;
  const int max_in_work_;
  ResponseWriter writer_;

  ClassSample sample_;
  std::map<int64_t, InWork> in_work_;  // by number
  int64_t bytes_in_work_ = 0;
  std::vector<int64_t> again_;  // numbers; the queue was full
  absl::Time again_at_ = absl::InfiniteFuture();
  int64_t images_seen_ = 0;
  int64_t images_done_ = 0;
  int64_t images_run_ = 0;

  bool is_reading_ = false;
  bool is_caller_done_ = false;  // nothing follows
  bool has_end_ = false;         // nor was it cut short
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_CALIBRATION_CALIBRATION_RUN_H_
