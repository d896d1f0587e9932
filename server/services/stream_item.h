// One question of a stream, from being read to its answer.
// Thread-compatible, but for FinishWith: as PendingCall.

#ifndef SALIENCY_SERVER_SERVICES_STREAM_ITEM_H_
#define SALIENCY_SERVER_SERVICES_STREAM_ITEM_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "saliency/v1/saliency_service.pb.h"
#include "server/convert/status_details.h"
#include "server/transport/call_tracker.h"
#include "server/transport/pending_call.h"

namespace saliency {

class StreamItem : public PendingCall {
 public:
  // `hold` stands for the answer's memory, until that has left.
  using TakeAnswer =
      std::function<void(std::unique_ptr<v1::StreamSaliencyResponse> answer,
                         std::shared_ptr<void> hold)>;

  // Deletes itself after it has been finished and `take` has the answer.
  // `tracker` outlives it.
  StreamItem(CallTracker& tracker, Arrival arrival, const std::string& id,
             TakeAnswer take);

  // Where the answer is made.  Of one that is finished with an error the id and
  // the status are all that stays.
  v1::StreamSaliencyResponse& response() { return *response_; }

 private:
  ~StreamItem() override = default;
  void Send(const absl::Status& status,
            std::optional<int64_t> retry_after_ms) override;

  const TakeAnswer take_;
  std::unique_ptr<v1::StreamSaliencyResponse> response_;
};

// Of what kind a question is; without a part where none is set.
RequestShape QuestionShape(const v1::StreamSaliencyRequest& request);

// What a label of the metrics says of a question: "StreamSaliency.compute",
// "StreamSaliency.none" where none is set.
std::string QuestionRpc(const RequestShape& shape);

// Whether a stream may take the question in; whose ids are in work is for the
// stream to know.
// Errors: INVALID_ARGUMENT naming the field, the value and the limit: no id or
//   one above 256 bytes, a timeout that is not positive, no question.
absl::Status CheckQuestion(const v1::StreamSaliencyRequest& request);

// When the question, read at `now`, is given up.
absl::Time QuestionDeadline(const v1::StreamSaliencyRequest& request,
                            absl::Time now, absl::Time stream_deadline);

}  // namespace saliency

#endif  // SALIENCY_SERVER_SERVICES_STREAM_ITEM_H_
