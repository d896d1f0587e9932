#include "client/call_attempts.h"

#include <cstdint>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"

namespace saliency {

std::optional<absl::Duration> PushBackOf(const grpc::ClientContext& context,
                                         const grpc::Status& status) {
  if (status.error_code() != grpc::StatusCode::RESOURCE_EXHAUSTED) {
    return std::nullopt;
  }
  const auto& trailing = context.GetServerTrailingMetadata();
  const auto found = trailing.find("grpc-retry-pushback-ms");
  if (found == trailing.end()) return std::nullopt;
  int64_t delay_ms = 0;
  const absl::string_view text(found->second.data(), found->second.size());
  if (!absl::SimpleAtoi(text, &delay_ms) || delay_ms < 0) return std::nullopt;
  return absl::Milliseconds(delay_ms);
}

void CallAttempts::Begin(std::shared_ptr<grpc::ClientContext> context) {
  bool late = false;
  {
    MutexLock lock(&mu_);
    late = cancelled_;
    context_ = context;
  }
  if (late) context->TryCancel();
}

bool CallAttempts::CancelledBefore(absl::Time time) {
  MutexLock lock(&mu_);
  return mu_.AwaitWithDeadline(absl::Condition(&cancelled_), time);
}

void CallAttempts::Cancel() {
  std::shared_ptr<grpc::ClientContext> context;
  {
    MutexLock lock(&mu_);
    cancelled_ = true;
    context = context_;
  }
  if (context != nullptr) context->TryCancel();
}

}  // namespace saliency
