#include "server/call_desk.h"

#include <vector>

#include "server/refusal_reason.h"

namespace saliency {

CallDesk::CallDesk(Clock& clock, Metrics& metrics, Log& log,
                   const Options& options)
    : clock_(clock),
      metrics_(metrics),
      log_(log),
      tokens_(options.tokens),
      sends_(options.send_timeout > absl::ZeroDuration()
                 ? std::make_unique<SendWatch>(clock, log, options.send_timeout)
                 : nullptr) {}

absl::Status CallDesk::Enter(const grpc::ServerContextBase& context) {
  // First: a stranger does not hear that the server is shutting down.
  const absl::Status known = CheckToken(tokens_, context);
  MutexLock lock(&mu_);
  ++in_progress_;
  if (!known.ok()) return known;
  if (!closed_) return absl::OkStatus();
  return UnavailableBecause("draining", "the server is shutting down");
}

void CallDesk::Answered(const CallRecord& record, const std::string& request_id,
                        int64_t rows) {
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

int64_t CallDesk::BeginSend(grpc_call* call, const std::string& request_id) {
  return sends_ == nullptr ? 0 : sends_->Begin(call, request_id);
}

void CallDesk::Leave(int64_t send_ticket) {
  if (send_ticket != 0) sends_->End(send_ticket);
  MutexLock lock(&mu_);
  --in_progress_;
}

void CallDesk::Close() {
  MutexLock lock(&mu_);
  closed_ = true;
}

bool CallDesk::AwaitEmpty(absl::Time deadline) {
  MutexLock lock(&mu_);
  return clock_.AwaitWithDeadline(&mu_, absl::Condition(this, &CallDesk::Empty),
                                  deadline);
}

}  // namespace saliency
