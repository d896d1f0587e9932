#include "server/services/health_service.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/near_names.h"
#include "server/convert/public_status.h"
#include "server/transport/one_request.h"

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

// What a watch holds of its request for as long as it lasts.
constexpr size_t kMaxNameBytes = 1024;

using CheckBase = OneRequestReactor<HealthCheckRequest, HealthCheckResponse>;

// One Check.
class CheckReactor final : public CheckBase {
 public:
  CheckReactor(grpc::CallbackServerContext& context,
               const HealthRegistry& registry, const TokenFile* tokens,
               const RequestWatches& watches)
      : registry_(registry) {
    const absl::Status known = CheckToken(tokens, context);
    if (known.ok()) {
      ReadRequest(context, watches, "health");
    } else {
      Finish(ToGrpcStatus(known));
    }
  }

 private:
  void OnRequest(std::unique_ptr<HealthCheckRequest> request) override {
    const std::optional<Health> health = registry_.Get(request->service());
    if (!health.has_value()) {
      return Finish(
          grpc::Status(grpc::StatusCode::NOT_FOUND,
                       absl::StrCat("service \"", Printable(request->service()),
                                    "\" is not known")));
    }
    response_.set_status(ServingStatusOf(health));
    StartWriteAndFinish(&response_, grpc::WriteOptions(), grpc::Status::OK);
  }
  void OnNoRequest(const absl::Status& why) override {
    Finish(ToGrpcStatus(why));
  }
  void OnDone() override { delete this; }

  const HealthRegistry& registry_;
  HealthCheckResponse response_;
};

// One Watch: writes the health whenever it differs from what was written last.
// At most one write is under way; what changes meanwhile is written after it.
// It owns itself until gRPC is done, and is told of changes through a weak
// pointer, so that a late change meets either a living watch or none.
class WatchReactor final : public CheckBase,
                           public HealthWatcher,
                           public std::enable_shared_from_this<WatchReactor> {
 public:
  static WatchReactor* Start(grpc::CallbackServerContext& context,
                             HealthRegistry& registry, const TokenFile* tokens,
                             const RequestWatches& watches) {
    auto watch = std::make_shared<WatchReactor>(registry);
    watch->self_ = watch;
    const absl::Status known = CheckToken(tokens, context);
    if (known.ok()) {
      watch->ReadRequest(context, watches, "health");
    } else {
      watch->End(ToGrpcStatus(known));
    }
    return watch.get();
  }

  explicit WatchReactor(HealthRegistry& registry) : registry_(registry) {}

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
    registry_.Unwatch(this);
    // The last owner may be a change that is being told; it finds `finished_`.
    const std::shared_ptr<WatchReactor> self = std::move(self_);
  }

 private:
  void OnRequest(std::unique_ptr<HealthCheckRequest> request) override {
    if (request->service().size() > kMaxNameBytes) {
      return End(
          grpc::Status(grpc::StatusCode::INVALID_ARGUMENT,
                       absl::StrCat("service: ", request->service().size(),
                                    " bytes; at most ", kMaxNameBytes)));
    }
    {
      MutexLock lock(&mu_);
      name_ = request->service();
    }
    if (const absl::Status in = registry_.Watch(shared_from_this()); !in.ok()) {
      return End(ToGrpcStatus(in));
    }
    Advance();
  }
  void OnNoRequest(const absl::Status& why) override { End(ToGrpcStatus(why)); }

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
      if (ending_.has_value()) {
        finish = finished_ = true;
        status = *ending_;
      } else if (name_.has_value()) {
        const ServingStatus now = ServingStatusOf(registry_.Get(*name_));
        write = writing_ = written_ != now;
        written_ = now;
        if (write) response_.set_status(now);
      }
    }
    if (write) StartWrite(&response_);
    if (finish) Finish(status);
  }

  HealthRegistry& registry_;
  std::shared_ptr<WatchReactor> self_;  // set once, moved out by OnDone

  Mutex mu_;
  std::optional<std::string> name_ ABSL_GUARDED_BY(mu_);  // once it has come
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
  std::optional<ServingStatus> written_ ABSL_GUARDED_BY(mu_);
  std::optional<grpc::Status> ending_ ABSL_GUARDED_BY(mu_);
  HealthCheckResponse response_;  // not touched while writing_
};

}  // namespace

HealthService::HealthService(HealthRegistry& registry, const TokenFile* tokens,
                             const RequestWatches& watches)
    : StreamedService("grpc.health.v1.Health") {
  Serve<HealthCheckRequest, HealthCheckResponse>(
      "Check", [=, &registry](grpc::CallbackServerContext* context) {
        return new CheckReactor(*context, registry, tokens, watches);
      });
  Serve<HealthCheckRequest, HealthCheckResponse>(
      "Watch", [=, &registry](grpc::CallbackServerContext* context) {
        return WatchReactor::Start(*context, registry, tokens, watches);
      });
}

}  // namespace saliency
