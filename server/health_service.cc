#include "server/health_service.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/near_names.h"
#include "server/public_status.h"

namespace saliency {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using ServingStatus = HealthCheckResponse::ServingStatus;

ServingStatus ServingStatusOf(std::optional<Health> health) {
  if (!health.has_value()) return HealthCheckResponse::SERVICE_UNKNOWN;
  return *health == Health::kServing ? HealthCheckResponse::SERVING
                                     : HealthCheckResponse::NOT_SERVING;
}

// One Watch: writes the health whenever it differs from what was written last.
// At most one write is under way; what changes meanwhile is written after it.
// It owns itself until gRPC is done, and is told of changes through a weak
// pointer, so that a late change meets either a living watch or none.
class WatchReactor : public grpc::ServerWriteReactor<HealthCheckResponse>,
                     public HealthWatcher {
 public:
  static WatchReactor* Start(HealthBoard& board, const std::string& name) {
    auto watch = std::make_shared<WatchReactor>(board, name);
    watch->self_ = watch;
    board.Watch(watch);
    watch->Advance();
    return watch.get();
  }

  WatchReactor(HealthBoard& board, std::string name)
      : board_(board), name_(std::move(name)) {}

  void OnHealthChange() override { Advance(); }
  void OnHealthClosed() override {
    End(grpc::Status(grpc::StatusCode::UNAVAILABLE,
                     "the server is shutting down"));
  }

  void OnWriteDone(bool ok) override {
    {
      MutexLock lock(&mu_);
      writing_ = false;
      if (!ok && !ending_.has_value()) ending_ = grpc::Status::CANCELLED;
    }
    Advance();
  }
  void OnCancel() override { End(grpc::Status::CANCELLED); }
  void OnDone() override {
    // The last owner may be a change that is being told; it finds `finished_`.
    const std::shared_ptr<WatchReactor> self = std::move(self_);
  }

 private:
  void End(const grpc::Status& status) ABSL_LOCKS_EXCLUDED(mu_) {
    {
      MutexLock lock(&mu_);
      if (!ending_.has_value()) ending_ = status;
    }
    Advance();
  }

  // Does what is due next: nothing, a write, or the end.
  void Advance() ABSL_LOCKS_EXCLUDED(mu_) {
    // Kept outside the lock: gRPC is called under none.
    bool write = false;
    bool finish = false;
    grpc::Status status;
    {
      MutexLock lock(&mu_);
      if (writing_ || finished_) return;
      const ServingStatus now = ServingStatusOf(board_.Get(name_));
      if (ending_.has_value()) {
        finish = finished_ = true;
        status = *ending_;
      } else if (!written_.has_value() || *written_ != now) {
        write = writing_ = true;
        written_ = now;
        response_.set_status(now);
      }
    }
    if (write) StartWrite(&response_);
    if (finish) Finish(status);
  }

  HealthBoard& board_;
  const std::string name_;
  std::shared_ptr<WatchReactor> self_;  // set once, moved out by OnDone

  Mutex mu_;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
  std::optional<ServingStatus> written_ ABSL_GUARDED_BY(mu_);
  std::optional<grpc::Status> ending_ ABSL_GUARDED_BY(mu_);
  HealthCheckResponse response_;  // not touched while writing_
};

// A Watch that ends at once.
class RefusedWatch : public grpc::ServerWriteReactor<HealthCheckResponse> {
 public:
  explicit RefusedWatch(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

}  // namespace

grpc::ServerUnaryReactor* HealthService::Check(
    grpc::CallbackServerContext* context, const HealthCheckRequest* request,
    HealthCheckResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (const absl::Status known = CheckToken(tokens_, *context); !known.ok()) {
    reactor->Finish(ToGrpcStatus(known));
    return reactor;
  }
  const std::optional<Health> health = board_.Get(request->service());
  if (health.has_value()) {
    response->set_status(ServingStatusOf(health));
    reactor->Finish(grpc::Status::OK);
  } else {
    reactor->Finish(
        grpc::Status(grpc::StatusCode::NOT_FOUND,
                     absl::StrCat("service \"", Printable(request->service()),
                                  "\" is not known")));
  }
  return reactor;
}

grpc::ServerWriteReactor<HealthCheckResponse>* HealthService::Watch(
    grpc::CallbackServerContext* context, const HealthCheckRequest* request) {
  if (const absl::Status known = CheckToken(tokens_, *context); !known.ok()) {
    return new RefusedWatch(ToGrpcStatus(known));
  }
  return WatchReactor::Start(board_, request->service());
}

}  // namespace saliency
