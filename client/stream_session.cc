#include "client/stream_session.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/error_details.h"
#include "core/base/status.h"

namespace saliency {
namespace {

// Whether, and after how long at least, what ended with `status` is worth
// asking again.
std::optional<absl::Duration> RetryAfter(const absl::Status& status) {
  if (absl::IsUnavailable(status)) return absl::ZeroDuration();
  return RetryDelayOf(status);
}

}  // namespace

StreamSession::StreamSession(v1::SaliencyService::Stub& stub, Options options,
                             const NextQuestion& next, const TakeAnswer& take)
    : stub_(stub), options_(std::move(options)), next_(next), take_(take) {}

absl::Status StreamSession::Run() {
  while (true) {
    Collect();
    if (cancelled()) return Abandon(absl::CancelledError("cancelled"));
    GiveUpLate();
    Refill();
    if (pending_.empty() && no_more_) return EndWell();
    if (link_ != nullptr && link_->over()) {
      Collect();  // what came before the end
      RETURN_IF_ERROR(AfterLink());
      continue;
    }
    if (link_ == nullptr && absl::Now() >= connect_at_) Connect();
    SendDue();
    Await();
  }
}

void StreamSession::Cancel() {
  std::shared_ptr<StreamConnection> link;
  {
    MutexLock lock(&mu_);
    cancelled_ = true;
    link = link_;
  }
  if (link != nullptr) link->Cancel();
}

bool StreamSession::cancelled() const {
  MutexLock lock(&mu_);
  return cancelled_;
}

void StreamSession::Collect() {
  if (link_ == nullptr) return;
  for (Answer& answer : link_->TakeAnswers()) Receive(std::move(answer));
}

void StreamSession::Receive(Answer answer) {
  int64_t index = 0;
  if (!absl::SimpleAtoi(answer.id(), &index)) return;
  const auto found = pending_.find(index);
  if (found == pending_.end()) return;  // it had been given up
  link_failures_ = 0;
  if (answer.has_progress()) {
    if (options_.on_progress) options_.on_progress(index, answer.progress());
    return;
  }
  Pending& pending = found->second;
  const absl::Status status = StatusFrom(answer.status());
  const std::optional<absl::Duration> retry = RetryAfter(status);
  if (retry.has_value() && pending.attempts < options_.retry.max_attempts) {
    pending.sent = false;
    pending.not_before =
        absl::Now() + std::max(*retry, Backoff(pending.attempts));
    return;
  }
  if (status.ok()) {
    TryComplete(index, std::move(answer));
  } else {
    TryComplete(index, status);
  }
}

void StreamSession::GiveUpLate() {
  const absl::Time now = absl::Now();
  std::vector<int64_t> late;
  for (const auto& [index, pending] : pending_) {
    if (pending.deadline <= now) late.push_back(index);
  }
  for (const int64_t index : late) {
    TryComplete(index, absl::DeadlineExceededError(absl::StrCat(
                           "no answer from ", options_.servers, " within ",
                           absl::FormatDuration(options_.timeout))));
  }
}

void StreamSession::Refill() {
  const size_t held = pending_.size() + settled_.size();
  if (no_more_ || held >= static_cast<size_t>(options_.window)) return;
  std::optional<v1::StreamSaliencyRequest> question = next_();
  if (!question.has_value()) {
    no_more_ = true;
    return;
  }
  const int64_t index = asked_++;
  question->set_id(absl::StrCat(index));
  if (options_.on_progress) question->set_progress(true);
  const auto size_bytes = static_cast<int64_t>(question->ByteSizeLong());
  if (size_bytes > options_.max_question_bytes) {
    return TryComplete(
        index, absl::InvalidArgumentError(absl::StrCat(
                   "request of ", size_bytes, " bytes is above the limit of ",
                   options_.max_question_bytes)));
  }
  pending_[index] = {.question = std::make_shared<v1::StreamSaliencyRequest>(
                         *std::move(question)),
                     .deadline = absl::Now() + options_.timeout,
                     .not_before = absl::InfinitePast()};
}

void StreamSession::Connect() {
  auto link = std::make_shared<StreamConnection>(stub_, options_.authorization);
  bool late = false;
  {
    MutexLock lock(&mu_);
    link_ = link;
    late = cancelled_;
  }
  if (late) link->Cancel();
}

void StreamSession::SendDue() {
  if (link_ == nullptr || !link_->may_write()) return;
  const absl::Time now = absl::Now();
  const auto due =
      std::find_if(pending_.begin(), pending_.end(), [&](const auto& entry) {
        return !entry.second.sent && entry.second.not_before <= now;
      });
  if (due == pending_.end()) return;
  Pending& pending = due->second;
  // No link holds it: the attempt before has been answered, or went with its
  // link.
  pending.question->set_timeout_seconds(
      absl::ToDoubleSeconds(pending.deadline - now));
  pending.sent = true;
  ++pending.attempts;
  link_->Write(pending.question);
}

absl::Status StreamSession::AfterLink() {
  const grpc::Status ended = link_->End();
  {
    MutexLock lock(&mu_);
    link_ = nullptr;
  }
  if (cancelled()) return absl::OkStatus();  // Run sees to it
  if (ended.ok()) {
    return Abandon(absl::InternalError(
        absl::StrCat("the server ended the stream with ", pending_.size(),
                     " questions unanswered")));
  }
  const absl::Status status = options_.to_absl(ended);
  ++link_failures_;
  if (!absl::IsUnavailable(status) ||
      link_failures_ >= options_.retry.max_attempts) {
    return Abandon(status);
  }
  connect_at_ = absl::Now() + Backoff(link_failures_);
  std::vector<int64_t> lost;
  for (auto& [index, pending] : pending_) {
    pending.sent = false;
    if (pending.attempts >= options_.retry.max_attempts) lost.push_back(index);
  }
  for (const int64_t index : lost) TryComplete(index, status);
  return absl::OkStatus();
}

absl::Status StreamSession::Abandon(const absl::Status& status) {
  no_more_ = true;
  while (!pending_.empty()) TryComplete(pending_.begin()->first, status);
  return status;
}

absl::Status StreamSession::EndWell() {
  if (link_ == nullptr || link_->over()) return absl::OkStatus();
  // A server that holds what was given up is not waited for.
  if (link_->may_write()) {
    link_->WritesDone();
    constexpr absl::Duration kFarewell = absl::Seconds(1);
    const absl::Time deadline = absl::Now() + kFarewell;
    while (!link_->over() && absl::Now() < deadline) {
      link_->Await(/*to_write=*/false, deadline);
      link_->TakeAnswers();  // to questions that were given up
    }
  }
  return absl::OkStatus();
}

void StreamSession::Await() {
  const absl::Time due = NextDue();
  if (link_ != nullptr) {
    const bool to_write =
        std::any_of(pending_.begin(), pending_.end(), [](const auto& entry) {
          return !entry.second.sent && entry.second.not_before <= absl::Now();
        });
    return link_->Await(to_write, due);
  }
  MutexLock lock(&mu_);
  mu_.AwaitWithDeadline(absl::Condition(&cancelled_), due);
}

// When there is something to do though nothing happens.
absl::Time StreamSession::NextDue() const {
  const size_t held = pending_.size() + settled_.size();
  if (!no_more_ && held < static_cast<size_t>(options_.window)) {
    return absl::InfinitePast();  // there is a question to be asked
  }
  absl::Time due = link_ == nullptr ? connect_at_ : absl::InfiniteFuture();
  const absl::Time now = absl::Now();
  for (const auto& [index, pending] : pending_) {
    due = std::min(due, pending.deadline);
    if (!pending.sent && pending.not_before > now) {
      due = std::min(due, pending.not_before);
    }
  }
  return due;
}

void StreamSession::TryComplete(int64_t index, absl::StatusOr<Answer> answer) {
  pending_.erase(index);
  if (!options_.in_order) return HandOut(index, std::move(answer));
  settled_.emplace(index, std::move(answer));
  for (auto next = settled_.begin();
       next != settled_.end() && next->first == handed_out_;
       next = settled_.begin()) {
    absl::StatusOr<Answer> due = std::move(next->second);
    settled_.erase(next);
    HandOut(handed_out_, std::move(due));
  }
}

void StreamSession::HandOut(int64_t index, absl::StatusOr<Answer> answer) {
  ++handed_out_;
  if (!take_(index, std::move(answer))) no_more_ = true;
}

absl::Duration StreamSession::Backoff(int failures) const {
  absl::Duration delay = options_.retry.initial_backoff;
  for (int i = 1; i < failures; ++i) delay *= 2;
  return std::min(delay, options_.retry.max_backoff);
}

}  // namespace saliency
