#include "server/transport/call_tracker.h"

#include <cstddef>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "server/convert/refusal_reason.h"

namespace saliency {
namespace {

constexpr const char* kTokenKey = "authorization";

absl::Status Draining() {
  return UnavailableBecause("draining", "the server is shutting down");
}

std::unique_ptr<StallWatch> Watch(Clock& clock, Log& log,
                                  StallWatch::Options options) {
  if (options.timeout <= absl::ZeroDuration()) return nullptr;
  return std::make_unique<StallWatch>(clock, log, std::move(options));
}

}  // namespace

CallTracker::CallTracker(Clock& clock, Metrics& metrics, Log& log,
                         const Options& options)
    : clock_(clock),
      metrics_(metrics),
      log_(log),
      tokens_(options.tokens),
      max_calls_(options.max_calls),
      sends_(Watch(clock, log,
                   {.timeout = options.send_timeout,
                    .what = "the caller does not take its answer"})),
      receives_(Watch(clock, log,
                      {.timeout = options.receive_timeout,
                       .what = "the request did not come whole",
                       .code = GRPC_STATUS_DEADLINE_EXCEEDED})),
      uploads_(clock, log, options.ledger, {.bytes = options.upload_bytes}) {}

absl::Status CallTracker::Enter(const grpc::ServerContextBase& context) {
  // First: a stranger does not hear that the server is shutting down.
  const absl::Status known = CheckToken(tokens_, context);
  MutexLock lock(&mu_);
  ++in_progress_;
  if (!known.ok()) return known;
  if (closed_) return Draining();
  if (in_progress_ > max_calls_) {
    return CallsFullError(absl::StrCat("too many calls in progress; at most ",
                                       max_calls_, " at a time"));
  }
  return absl::OkStatus();
}

std::string CallTracker::CallerOf(
    const grpc::ServerContextBase& context) const {
  if (tokens_ == nullptr) return context.peer();
  // Not the token itself, which has no business in our memory.
  std::size_t digest = 0;
  const auto [first, last] = context.client_metadata().equal_range(kTokenKey);
  for (auto shown = first; shown != last; ++shown) {
    digest = absl::HashOf(
        digest, absl::string_view(shown->second.data(), shown->second.size()));
  }
  return absl::StrCat("token ", absl::Hex(digest));
}

void CallTracker::Answered(const CallRecord& record,
                           const std::string& request_id, int64_t rows) {
  metrics_.CountCall(record);
  std::vector<LogField> fields = {
      {"request_id", request_id},
      {"rpc", record.rpc},
      {"model", record.model},
      {"version", record.version},
      {"code", absl::StatusCodeToString(record.status.code())},
      {"seconds", absl::ToDoubleSeconds(record.duration)},
      {"rows", rows}};
  if (!record.status.ok()) {
    fields.emplace_back("error", record.status.message());
  }
  log_.Info("call", fields);
}

int64_t CallTracker::BeginSend(grpc_call* call, const std::string& request_id) {
  return sends_ == nullptr ? 0 : sends_->Begin(call, request_id);
}

void CallTracker::EndSend(int64_t send_ticket) {
  if (send_ticket != 0) sends_->End(send_ticket);
}

void CallTracker::Leave(int64_t send_ticket) {
  EndSend(send_ticket);
  MutexLock lock(&mu_);
  --in_progress_;
}

void CallTracker::AddShutdownListener(
    const std::shared_ptr<CloseListener>& listener) {
  {
    MutexLock lock(&mu_);
    if (!closed_) {
      std::erase_if(listeners_, [](const auto& old) { return old.expired(); });
      listeners_.push_back(listener);
      return;
    }
  }
  listener->OnClose();
}

absl::Status CallTracker::CheckOpen() const {
  MutexLock lock(&mu_);
  return closed_ ? Draining() : absl::OkStatus();
}

void CallTracker::Close() {
  std::vector<std::weak_ptr<CloseListener>> listeners;
  {
    MutexLock lock(&mu_);
    closed_ = true;
    listeners.swap(listeners_);
  }
  for (const auto& weak : listeners) {
    if (const auto listener = weak.lock()) listener->OnClose();
  }
}

bool CallTracker::AwaitEmpty(absl::Time deadline) {
  MutexLock lock(&mu_);
  return clock_.AwaitWithDeadline(
      &mu_, absl::Condition(this, &CallTracker::Empty), deadline);
}

}  // namespace saliency
