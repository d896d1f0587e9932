#include "server/transport/connection_calls.h"

#include "absl/time/clock.h"

namespace saliency {

void ConnectionCalls::Begin(const std::string& connection) {
  {
    MutexLock lock(&mu_);
    // Once, when there comes to be one too many.
    if (++calls_[connection] != max_ + 1) return;
  }
  log_.Warning("a connection begins calls faster than they end: reset",
               {{"connection", connection}, {"calls", max_}});
  if (ledger_ != nullptr) ledger_->Reset(connection, absl::Now());
}

void ConnectionCalls::End(const std::string& connection) {
  MutexLock lock(&mu_);
  const auto calls = calls_.find(connection);
  if (--calls->second == 0) calls_.erase(calls);
}

ConnectionCall::ConnectionCall(ConnectionCalls* calls,
                               const grpc::ServerContextBase& context)
    : calls_(calls), connection_(calls == nullptr ? "" : context.peer()) {
  if (calls_ != nullptr) calls_->Begin(connection_);
}

void ConnectionCall::End() {
  if (calls_ != nullptr) calls_->End(connection_);
  calls_ = nullptr;
}

}  // namespace saliency
