// One call of MeasureWeightSensitivity: a thread of its own produces messages,
// gRPC takes them one after another.
//
// At most one message waits to be taken while the next is produced, so that a
// slow caller holds two of them; StallWatch ends a call whose messages are not
// taken.  When the server drains, the call ends with UNAVAILABLE after the
// message that is being produced: the rest is to be had from another server,
// with the same weights from the same seed.
// Thread-safe where gRPC needs it.

#ifndef SALIENCY_SERVER_SERVICES_WEIGHT_SENSITIVITY_CALL_H_
#define SALIENCY_SERVER_SERVICES_WEIGHT_SENSITIVITY_CALL_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "core/base/mutex.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/server_callback.h"
#include "saliency/v1/saliency_service.pb.h"
#include "server/services/randomization_threads.h"
#include "server/transport/call_tracker.h"
#include "server/transport/one_request.h"
#include "server/transport/pending_call.h"

namespace saliency {

class WeightSensitivityCall
    : public OneRequestReactor<v1::MeasureWeightSensitivityRequest,
                               v1::MeasureWeightSensitivityResponse>,
      public PendingCall,
      public CloseListener,
      public std::enable_shared_from_this<WeightSensitivityCall> {
 public:
  using Request = v1::MeasureWeightSensitivityRequest;
  using Message = v1::MeasureWeightSensitivityResponse;

  // Produces all messages by Write, on a thread of its own; returns how the
  // call ends.
  using Produce = std::function<absl::Status(WeightSensitivityCall& call,
                                             const Request& request)>;

  // The call deletes itself when gRPC and `produce` are done with it. `tracker`
  // and `threads` outlive it.
  static WeightSensitivityCall* Start(grpc::CallbackServerContext* context,
                                      CallTracker& tracker,
                                      RandomizationThreads& threads,
                                      Produce produce);

  WeightSensitivityCall(grpc::CallbackServerContext* context,
                        CallTracker& tracker, RandomizationThreads& threads,
                        Produce produce);

  // Hands a message to gRPC, when it has taken the one before.  By the
  // producing thread alone.  `rows` is the work that it holds.
  // Errors: CANCELLED the caller has gone; UNAVAILABLE the server drains.
  absl::Status Write(std::unique_ptr<Message> message, int64_t rows)
      ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void OnRequest(std::unique_ptr<Request> request) override;
  void OnNoRequest(const absl::Status& why) override { FinishWith(why); }
  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mu_);
  void OnCancel() override { cancel_token()->Cancel(); }
  void OnDone() override;
  void OnClose() override ABSL_LOCKS_EXCLUDED(mu_);
  void Send(const absl::Status& status,
            std::optional<int64_t> retry_after_ms) override;
  // Waits until no message is under way.
  void AwaitWritten() ABSL_LOCKS_EXCLUDED(mu_);

  grpc::CallbackServerContext* const context_;
  RandomizationThreads& threads_;
  const Produce produce_;
  std::shared_ptr<WeightSensitivityCall> self_;  // set once, moved by OnDone
  std::unique_ptr<Message> outgoing_;  // gRPC's, while a write is under way
  int64_t send_ticket_ = 0;  // of the write under way, then of the end
  // The producing thread's.
  int64_t rows_ = 0;
  absl::Status ended_;

  Mutex mu_;
  bool written_ ABSL_GUARDED_BY(mu_) = true;  // no write is under way
  bool closing_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_SERVICES_WEIGHT_SENSITIVITY_CALL_H_
