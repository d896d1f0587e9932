// One call of StreamSaliency, from the caller's side: what gRPC tells on
// threads of its own becomes a state that one thread looks at and waits for.
// Used by one thread, but for Cancel.

#ifndef SALIENCY_CLIENT_STREAM_CONNECTION_H_
#define SALIENCY_CLIENT_STREAM_CONNECTION_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "core/base/mutex.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/client_callback.h"
#include "saliency/v1/saliency_service.grpc.pb.h"

namespace saliency {

class StreamConnection
    : public grpc::ClientBidiReactor<v1::StreamSaliencyRequest,
                                     v1::StreamSaliencyResponse> {
 public:
  using Question = v1::StreamSaliencyRequest;
  using Answer = v1::StreamSaliencyResponse;

  // Calls.  `authorization` is metadata; empty: none.  `stub` outlives this.
  StreamConnection(v1::SaliencyService::Stub& stub,
                   const std::string& authorization);
  // Cancels what is left of the call, and waits for its end.
  ~StreamConnection() override;

  // Whether the question before has left.
  bool may_write() const ABSL_LOCKS_EXCLUDED(mu_);
  // REQUIRES: may_write(), before WritesDone().
  void Write(std::shared_ptr<const Question> question) ABSL_LOCKS_EXCLUDED(mu_);
  // REQUIRES: may_write().
  void WritesDone() ABSL_LOCKS_EXCLUDED(mu_);

  // What has come since the last time.
  std::vector<Answer> TakeAnswers() ABSL_LOCKS_EXCLUDED(mu_);
  // No answer comes any more, but for those that TakeAnswers has.
  bool over() const ABSL_LOCKS_EXCLUDED(mu_);

  // Waits until there are answers, no more come, `to_write` and may_write(), or
  // it is `deadline`.
  void Await(bool to_write, absl::Time deadline) ABSL_LOCKS_EXCLUDED(mu_);

  // Ends the call early; from any thread.
  void Cancel() { context_.TryCancel(); }
  // Waits for the call's end.  REQUIRES: over(), or it was cancelled.
  grpc::Status End() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void OnReadDone(bool ok) override ABSL_LOCKS_EXCLUDED(mu_);
  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mu_);
  void OnDone(const grpc::Status& status) override ABSL_LOCKS_EXCLUDED(mu_);
  bool MayWrite() const ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return outgoing_ == nullptr && !writes_failed_;
  }

  grpc::ClientContext context_;
  Answer incoming_;      // gRPC's, while a read is under way
  bool holding_ = true;  // keeps the end back while we may still write

  mutable Mutex mu_;
  std::shared_ptr<const Question> outgoing_ ABSL_GUARDED_BY(mu_);
  bool writes_failed_ ABSL_GUARDED_BY(mu_) = false;
  bool over_ ABSL_GUARDED_BY(mu_) = false;
  bool done_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<Answer> answers_ ABSL_GUARDED_BY(mu_);
  grpc::Status status_ ABSL_GUARDED_BY(mu_);
};

}  // namespace saliency

#endif  // SALIENCY_CLIENT_STREAM_CONNECTION_H_
