#include "server/services/stream_call.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/near_names.h"
#include "core/base/status.h"
#include "server/convert/public_status.h"
#include "server/transport/request_id.h"

namespace saliency {
namespace {

int64_t BytesOf(const v1::StreamSaliencyResponse& answer) {
  return static_cast<int64_t>(answer.ByteSizeLong());
}

// Of a question's id.
std::unique_ptr<v1::StreamSaliencyResponse> NewsOf(
    const std::pair<const std::string, SampleProgress>& news) {
  auto response = std::make_unique<v1::StreamSaliencyResponse>();
  response->set_id(news.first);
  response->mutable_progress()->set_done(news.second.done);
  response->mutable_progress()->set_total(news.second.total);
  return response;
}

}  // namespace

StreamCall* StreamCall::Start(grpc::CallbackServerContext* context,
                              CallTracker& tracker, const StreamLimits& limits,
                              AnswerQuestion answer) {
  auto call =
      std::make_shared<StreamCall>(context, tracker, limits, std::move(answer));
  call->self_ = call;
  tracker.AddShutdownListener(call);
  call->Advance();
  return call.get();
}

StreamCall::StreamCall(grpc::CallbackServerContext* context,
                       CallTracker& tracker, const StreamLimits& limits,
                       AnswerQuestion answer)
    : PendingCall(tracker,
                  {.rpc = "StreamSaliency",
                   .request_id = RequestIdFrom(context->client_metadata()),
                   .caller = tracker.CallerOf(*context),
                   .deadline = DeadlineOf(*context),
                   .admission = tracker.Enter(*context),
                   .request = {.type = Request::descriptor()}}),
      context_(context),
      limits_(limits),
      answer_(std::move(answer)) {}

void StreamCall::OnReadDone(bool ok) {
  std::unique_ptr<Incoming<Request>> incoming = std::move(incoming_);
  const absl::Status held = upload_.Came(ok ? incoming->bytes : 0);
  const bool parsed = ok && held.ok() && incoming->parsed.ok();
  int64_t number = 0;
  {
    MutexLock lock(&mu_);
    reading_ = false;  // from here on the next may come, on another thread
    if (!parsed) caller_done_ = true;
    if (!held.ok()) {
      broken_ = held;
    } else if (ok && !parsed) {
      broken_ =
          Annotate(incoming->parsed, absl::StrCat("question ", questions_ + 1));
    }
    if (finished_ || !parsed) incoming = nullptr;
    if (incoming != nullptr) {
      ++held_;
      number = ++questions_;
    }
  }
  if (incoming != nullptr) Take(number, incoming->message);
  incoming = nullptr;  // its image is the engine's now
  Advance();
}

void StreamCall::OnWriteDone(bool ok) {
  tracker().EndSend(std::exchange(send_ticket_, 0));
  const int64_t bytes = BytesOf(*outgoing_.response);
  const bool is_news = outgoing_.is_news;
  outgoing_ = {};
  {
    MutexLock lock(&mu_);
    writing_ = false;
    if (!is_news) {
      --held_;
      waiting_bytes_ -= bytes;
    }
  }
  // What cannot be written has no reader.
  if (!ok) return OnCancel();
  Advance();
}

void StreamCall::OnCancel() {
  std::vector<std::shared_ptr<CancelToken>> tokens;
  std::deque<Answer> unread;
  {
    MutexLock lock(&mu_);
    cancelled_ = true;
    for (const auto& [id, token] : in_work_) tokens.push_back(token);
    unread.swap(answers_);
    news_.clear();
    held_ -= static_cast<int>(unread.size());
  }
  for (const auto& token : tokens) token->Cancel();
  Advance();
}

void StreamCall::OnClose() {
  {
    MutexLock lock(&mu_);
    closing_ = true;
  }
  Advance();
}

void StreamCall::OnDone() {
  // The last owner may be a drain that is being told; it finds `finished_`.
  const std::shared_ptr<StreamCall> self = std::move(self_);
  tracker().Leave(send_ticket_);
}

void StreamCall::Send(const absl::Status& status,
                      std::optional<int64_t> retry_after_ms) {
  AddTrailingMetadata(retry_after_ms, *context_);
  send_ticket_ = tracker().BeginSend(context_->c_call(), request_id());
  Finish(ToGrpcStatus(status));
}

void StreamCall::Take(int64_t number, const Request& request) {
  const RequestShape shape = QuestionShape(request);
  Arrival arrival = {.rpc = QuestionRpc(shape),
                     .request_id = absl::StrCat(request_id(), "/", number),
                     .caller = caller(),
                     .deadline = QuestionDeadline(
                         request, tracker().clock().Now(), deadline()),
                     .request = shape};
  arrival.admission = Admit(request, arrival.cancel);
  const bool admitted = arrival.admission.ok();
  if (request.progress()) {
    arrival.on_progress = [self = shared_from_this(), id = request.id(),
                           token =
                               arrival.cancel](const SampleProgress& progress) {
      self->Tell(id, token, progress);
    };
  }
  auto* question = new StreamItem(
      tracker(), std::move(arrival), request.id(),
      [self = shared_from_this(), admitted](std::unique_ptr<Response> response,
                                            std::shared_ptr<void> hold) {
        self->Answered(
            {.response = std::move(response), .hold = std::move(hold)},
            admitted);
      });
  if (!admitted) return question->FinishWith(question->admission());
  answer_(*question, request);
}

absl::Status StreamCall::Admit(const Request& request,
                               const std::shared_ptr<CancelToken>& token) {
  RETURN_IF_ERROR(CheckQuestion(request));
  RETURN_IF_ERROR(tracker().CheckOpen());
  bool cancelled = false;
  {
    MutexLock lock(&mu_);
    if (!in_work_.emplace(request.id(), token).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("id: \"", Printable(request.id()),
                       "\" is that of a question still in work"));
    }
    cancelled = cancelled_;
  }
  if (cancelled) token->Cancel();
  return absl::OkStatus();
}

void StreamCall::Tell(const std::string& id,
                      const std::shared_ptr<CancelToken>& token,
                      const SampleProgress& progress) {
  {
    MutexLock lock(&mu_);
    const auto asked = in_work_.find(id);
    // By the token, since an id may come again.
    const bool in_work = asked != in_work_.end() && asked->second == token;
    if (!in_work || cancelled_) return;
    news_[id] = progress;
  }
  Advance();
}

void StreamCall::Answered(Answer answer, bool admitted) {
  const int64_t bytes = BytesOf(*answer.response);
  {
    MutexLock lock(&mu_);
    if (admitted) {
      in_work_.erase(answer.response->id());
      news_.erase(answer.response->id());
    }
    if (cancelled_) {
      --held_;
    } else {
      answers_.push_back(std::move(answer));
      waiting_bytes_ += bytes;
    }
  }
  Advance();
}

void StreamCall::Advance() {
  {
    MutexLock lock(&mu_);
    // Whoever is at it looks again before it stops.
    if (advancing_ || finished_) return;
    advancing_ = true;
  }
  while (const std::optional<Step> step = NextStep()) {
    Do(*step);
    if (*step == Step::kFinish) return;
  }
}

std::optional<StreamCall::Step> StreamCall::NextStep() {
  MutexLock lock(&mu_);
  const std::optional<Step> step = Due();
  advancing_ = step.has_value();
  return step;
}

std::optional<StreamCall::Step> StreamCall::Due() {
  if (!writing_ && !answers_.empty()) {
    writing_ = true;
    outgoing_ = std::move(answers_.front());
    answers_.pop_front();
    return Step::kWrite;
  }
  if (!writing_ && !news_.empty()) {
    writing_ = true;
    outgoing_ = {.response = NewsOf(*news_.begin()), .is_news = true};
    news_.erase(news_.begin());
    return Step::kWrite;
  }
  if (MayRead()) {
    reading_ = true;
    return Step::kRead;
  }
  if (MayFinish()) {
    finished_ = true;
    return Step::kFinish;
  }
  return std::nullopt;
}

void StreamCall::Do(Step step) {
  switch (step) {
    case Step::kRead:
      incoming_ = std::make_unique<Incoming<Request>>();
      upload_ = AwaitedUpload(&tracker().uploads(), *context_, request_id());
      return StartRead(incoming_.get());
    case Step::kWrite:
      send_ticket_ = tracker().BeginSend(context_->c_call(), request_id());
      return StartWrite(outgoing_.response.get());
    case Step::kFinish:
      return FinishWith(Ending());
  }
}

bool StreamCall::MayRead() const {
  return admission().ok() && !reading_ && !caller_done_ && !closing_ &&
         !cancelled_ && held_ < limits_.window &&
         waiting_bytes_ < limits_.waiting_bytes;
}

// A read under way is no obstacle: it ends with the call.  That of a call that
// was cancelled ends by itself, and tells whether the server did it.
bool StreamCall::MayFinish() const {
  const bool no_more = !admission().ok() || caller_done_ || closing_ ||
                       (cancelled_ && !reading_);
  return no_more && !writing_ && held_ == 0;
}

absl::Status StreamCall::Ending() const {
  RETURN_IF_ERROR(admission());
  const bool late = tracker().clock().Now() >= deadline();
  const absl::Status open = tracker().CheckOpen();
  MutexLock lock(&mu_);
  RETURN_IF_ERROR(broken_);
  if (cancelled_) {
    return late ? absl::DeadlineExceededError("the stream's deadline passed")
                : absl::CancelledError("the caller has gone");
  }
  return caller_done_ ? absl::OkStatus() : open;
}

}  // namespace saliency
