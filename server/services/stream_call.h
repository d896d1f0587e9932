// One call of StreamSaliency: reads questions, has them answered, writes the
// answers as they come.
//
// Flow control: a question counts from being read until its answer has been
// written, and none is read while as many as the window allows count, or while
// the answers that wait to be written hold more bytes than allowed.  So a
// caller that asks and never reads costs the window's worth of answers, and one
// that reads slowly large ones the bound in bytes and what was in work when it
// was reached; gRPC's own flow control holds what they go on to write back at
// the caller, and StallWatch ends a call whose answers are not taken.
//
// How far a question in work is (StreamSaliencyRequest.progress) is written
// when no answer waits, the newest of each question alone, so that it holds
// nothing up.
//
// When the server drains, what was read is answered and the call then ends with
// UNAVAILABLE: what the caller sent beyond that was not read.  The same goes
// for a message that cannot be parsed, whose id is not known: INVALID_ARGUMENT.
// Thread-safe where gRPC needs it.

#ifndef SALIENCY_SERVER_SERVICES_STREAM_CALL_H_
#define SALIENCY_SERVER_SERVICES_STREAM_CALL_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "core/base/cancel_token.h"
#include "core/base/mutex.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/server_callback.h"
#include "saliency/v1/saliency_service.pb.h"
#include "server/services/stream_item.h"
#include "server/transport/call_tracker.h"
#include "server/transport/pending_call.h"
#include "server/transport/streamed_service.h"
#include "server/transport/transport_options.h"

namespace saliency {

class StreamCall : public StreamReactor<v1::StreamSaliencyRequest,
                                        v1::StreamSaliencyResponse>,
                   public PendingCall,
                   public CloseListener,
                   public std::enable_shared_from_this<StreamCall> {
 public:
  // Has the question answered: finishes it, once, on any thread.  The request
  // goes when this returns.
  using AnswerQuestion = std::function<void(
      StreamItem& question, const v1::StreamSaliencyRequest& request)>;

  // The call deletes itself when gRPC is done with it.  `tracker` and what
  // `answer` refers to outlive it.
  static StreamCall* Start(grpc::CallbackServerContext* context,
                           CallTracker& tracker, const StreamLimits& limits,
                           AnswerQuestion answer);

  StreamCall(grpc::CallbackServerContext* context, CallTracker& tracker,
             const StreamLimits& limits, AnswerQuestion answer);

 private:
  using Request = v1::StreamSaliencyRequest;
  using Response = v1::StreamSaliencyResponse;
  enum class Step { kRead, kWrite, kFinish };
  struct Answer {
    std::unique_ptr<Response> response;
    std::shared_ptr<void> hold;  // of its memory
    bool is_news = false;        // of a question that is still in work
  };

  void OnReadDone(bool ok) override ABSL_LOCKS_EXCLUDED(mu_);
  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mu_);
  void OnCancel() override ABSL_LOCKS_EXCLUDED(mu_);
  void OnDone() override;
  void OnClose() override ABSL_LOCKS_EXCLUDED(mu_);
  void Send(const absl::Status& status,
            std::optional<int64_t> retry_after_ms) override;

  // Has a question that was read answered; `number` counts from 1.  From any
  // thread, several at a time.
  void Take(int64_t number, const Request& request) ABSL_LOCKS_EXCLUDED(mu_);
  // Whether it may be answered; enters its id if so.
  // Errors: as CheckQuestion; INVALID_ARGUMENT the id is in work already;
  //   UNAVAILABLE while draining.
  absl::Status Admit(const Request& request,
                     const std::shared_ptr<CancelToken>& token)
      ABSL_LOCKS_EXCLUDED(mu_);
  // How far a question is, unless it has been answered; what was to be written
  // of it before is out of date.
  void Tell(const std::string& id, const std::shared_ptr<CancelToken>& token,
            const SampleProgress& progress) ABSL_LOCKS_EXCLUDED(mu_);
  // An answer has come; `admitted` is whether its id was entered.
  void Answered(Answer answer, bool admitted) ABSL_LOCKS_EXCLUDED(mu_);

  // Does what is due, step by step.  One thread at a time, so that no step
  // meets another half begun.
  void Advance() ABSL_LOCKS_EXCLUDED(mu_);
  std::optional<Step> NextStep() ABSL_LOCKS_EXCLUDED(mu_);
  std::optional<Step> Due() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Do(Step step) ABSL_LOCKS_EXCLUDED(mu_);
  bool MayRead() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool MayFinish() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status Ending() const ABSL_LOCKS_EXCLUDED(mu_);

  grpc::CallbackServerContext* const context_;
  const StreamLimits limits_;
  const AnswerQuestion answer_;
  std::shared_ptr<StreamCall> self_;  // set once, moved out by OnDone
  int64_t send_ticket_ = 0;           // of the write under way, then of the end
  // What gRPC reads into and writes from while such a step is under way.
  std::unique_ptr<Incoming<Request>> incoming_;
  AwaitedUpload upload_;
  Answer outgoing_;

  mutable Mutex mu_;
  bool advancing_ ABSL_GUARDED_BY(mu_) = false;
  bool reading_ ABSL_GUARDED_BY(mu_) = false;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
  bool caller_done_ ABSL_GUARDED_BY(mu_) = false;  // has written its last
  absl::Status broken_ ABSL_GUARDED_BY(mu_);       // why its last did not come
  bool closing_ ABSL_GUARDED_BY(mu_) = false;      // the server is draining
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;    // the caller has gone
  int64_t questions_ ABSL_GUARDED_BY(mu_) = 0;     // read so far
  int held_ ABSL_GUARDED_BY(mu_) = 0;  // questions whose answer has not left
  std::map<std::string, std::shared_ptr<CancelToken>> in_work_
      ABSL_GUARDED_BY(mu_);  // by id
  std::deque<Answer> answers_ ABSL_GUARDED_BY(mu_);
  // Of questions in work, to be written when no answer is.
  std::map<std::string, SampleProgress> news_ ABSL_GUARDED_BY(mu_);
  // Of answers_ and outgoing_; of no use once cancelled.
  int64_t waiting_bytes_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_SERVICES_STREAM_CALL_H_
