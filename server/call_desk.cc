#include "server/call_desk.h"

#include <vector>

#include "server/refusal_reason.h"

namespace saliency {

absl::Status CallDesk::Enter() {
  MutexLock lock(&mu_);
  ++in_progress_;
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

void CallDesk::Leave() {
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
