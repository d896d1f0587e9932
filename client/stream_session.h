// Many questions over one call at a time: a window of them is on the way, what
// the server pushes back or loses is asked again, and each is answered to the
// caller exactly once.
// Used by one thread, but for Cancel.

#ifndef SALIENCY_CLIENT_STREAM_SESSION_H_
#define SALIENCY_CLIENT_STREAM_SESSION_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/channel.h"
#include "client/stream_connection.h"
#include "core/base/mutex.h"
#include "saliency/v1/saliency_service.grpc.pb.h"

namespace saliency {

// The next question, its id left out; nullopt: there are no more.
using NextQuestion = std::function<std::optional<v1::StreamSaliencyRequest>()>;
// The answer to the index-th question, or why there is none.  Returns whether
// further questions shall be asked.
using TakeAnswer = std::function<bool(
    int64_t index, absl::StatusOr<v1::StreamSaliencyResponse> answer)>;

// Samples done of all there are, of the index-th question, which is in work.
using HearProgress =
    std::function<void(int64_t index, const v1::SampleProgress& progress)>;

class StreamSession {
 public:
  struct Options {
    int window = 32;         // questions asked and not handed out; >= 1
    bool in_order = false;   // whether answers are handed out as asked
    absl::Duration timeout;  // of one question, its retries included
    RetryOptions retry;
    int64_t max_question_bytes = 0;
    std::string authorization;  // metadata; empty: none
    std::string servers;        // for messages
    HearProgress on_progress;   // null: not asked for
    // How the end of a call is told.
    std::function<absl::Status(const grpc::Status&)> to_absl;
  };

  // `stub` outlives this.
  StreamSession(v1::SaliencyService::Stub& stub, Options options,
                const NextQuestion& next, const TakeAnswer& take);

  // Asks and hands out on this thread until all are answered.
  // Errors: why no server could be asked further; the questions on the way get
  //   it too.
  absl::Status Run();

  // Makes Run return with CANCELLED; from any thread.
  void Cancel() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  using Answer = v1::StreamSaliencyResponse;

  // Asked and not answered.
  struct Pending {
    std::shared_ptr<v1::StreamSaliencyRequest> question;
    absl::Time deadline;
    absl::Time not_before;  // of the next attempt
    int attempts = 0;
    bool sent = false;  // on the present link
  };

  bool cancelled() const ABSL_LOCKS_EXCLUDED(mu_);
  // Answers of the link, to those who wait for them.
  void Collect();
  void Receive(Answer answer);
  void GiveUpLate();
  // Asks one question more, where the window has room.
  void Refill();
  void Connect();
  // Sends what is due first, if the link takes it.
  void SendDue();
  // Looks after a link that is over.  Errors: no further one would help.
  absl::Status AfterLink();
  absl::Status Abandon(const absl::Status& status);
  absl::Status EndWell();
  void Await();
  absl::Time NextDue() const;

  void TryComplete(int64_t index, absl::StatusOr<Answer> answer);
  void HandOut(int64_t index, absl::StatusOr<Answer> answer);
  absl::Duration Backoff(int failures) const;

  v1::SaliencyService::Stub& stub_;
  const Options options_;
  const NextQuestion& next_;
  const TakeAnswer& take_;

  int64_t asked_ = 0;
  int64_t handed_out_ = 0;
  bool no_more_ = false;
  std::map<int64_t, Pending> pending_;
  std::map<int64_t, absl::StatusOr<Answer>> settled_;  // wait for their turn
  int link_failures_ = 0;                              // since the last answer
  absl::Time connect_at_ = absl::InfinitePast();

  mutable Mutex mu_;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
  std::shared_ptr<StreamConnection>
      link_;  // written under mu_, by Run's thread alone
};

}  // namespace saliency

#endif  // SALIENCY_CLIENT_STREAM_SESSION_H_
