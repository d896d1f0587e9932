// Bounds what gRPC holds of messages that have not come whole: when that is too
// much, ends calls of whoever holds the most, so that others go on.
//
// gRPC 1.51 does not tell what it holds, and near its own bound it ends
// anybody's calls.  But the kernel tells what has come on a connection: since
// the oldest message that is awaited there, less those that came whole, is what
// is held of it at most, but for what came before it was asked for, which the
// window of its stream bounds (64 KiB).
// Thread-safe.

#ifndef SALIENCY_SERVER_TRANSPORT_UPLOAD_WATCH_H_
#define SALIENCY_SERVER_TRANSPORT_UPLOAD_WATCH_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "grpc/grpc.h"
#include "grpcpp/server_context.h"
#include "server/telemetry/log.h"
#include "server/transport/connection_ledger.h"

namespace saliency {

class UploadWatch {
 public:
  struct Options {
    int64_t bytes = int64_t{128} << 20;  // that may be held of all; > 0
    absl::Duration every = absl::Milliseconds(20);  // it looks, while some come
  };

  // Null `ledger`: nobody knows the connections, and nothing is bounded.  All
  // outlive this.
  UploadWatch(Clock& clock, Log& log, const ConnectionLedger* ledger,
              const Options& options);
  ~UploadWatch();
  UploadWatch(const UploadWatch&) = delete;
  UploadWatch& operator=(const UploadWatch&) = delete;

  // A message is awaited on a connection, named as by
  // grpc::ServerContextBase::peer(); returns the name of this for End, > 0.
  int64_t Begin(grpc_call* call, const std::string& connection,
                const std::string& request_id) ABSL_LOCKS_EXCLUDED(mu_);
  // `bytes` of it came, whole; 0: none did.
  // Errors: RESOURCE_EXHAUSTED the call was ended for what was held of it.
  absl::Status End(int64_t ticket, int64_t bytes) ABSL_LOCKS_EXCLUDED(mu_);

  // Messages that are awaited now.
  int awaited() const ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    return static_cast<int>(awaited_.size());
  }

 private:
  struct Unref {
    void operator()(grpc_call* call) const { grpc_call_unref(call); }
  };
  struct Upload {
    int64_t ticket = 0;
    std::unique_ptr<grpc_call, Unref> call;
    std::string request_id;
    int64_t from = 0;  // what had come on the connection when this began
    int64_t gone = 0;  // of what came since, what is no longer held
  };
  struct Connection {
    std::deque<Upload> uploads;  // oldest first; not empty
    std::string peer;
    int64_t held = 0;  // at the last look
  };
  using Connections = std::map<std::string, Connection>;

  void Run() ABSL_LOCKS_EXCLUDED(mu_);
  // Takes out what is to be ended now.
  std::vector<Upload> Look() ABSL_LOCKS_EXCLUDED(mu_);
  // Returns what is held of all.
  int64_t Measure(const std::map<std::string, Arrived>& arrived)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Connections::iterator LargestOfLargestPeer()
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Upload TakeOldest(Connections::iterator connection)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::optional<Arrived> Find(const std::string& connection) const;
  void Cancel(const Upload& upload);
  bool StoppingOrBusy() const ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return stopping_ || !connections_.empty();
  }

  Clock& clock_;
  Log& log_;
  const ConnectionLedger* const ledger_;
  const Options options_;
  mutable Mutex mu_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  int64_t last_ticket_ ABSL_GUARDED_BY(mu_) = 0;
  Connections connections_ ABSL_GUARDED_BY(mu_);  // those that wait
  std::map<int64_t, std::string> awaited_ ABSL_GUARDED_BY(mu_);  // by ticket
  std::thread thread_;  // last: uses all of the above
};

// One message after another of one call, as the watch sees them.
// Thread-compatible.
class AwaitedUpload {
 public:
  AwaitedUpload() = default;
  // The next one is asked for; `watch` outlives this, null for none.
  AwaitedUpload(UploadWatch* watch, grpc::CallbackServerContext& context,
                const std::string& request_id);
  // As UploadWatch::End.
  absl::Status Came(int64_t bytes) {
    return watch_ == nullptr ? absl::OkStatus() : watch_->End(ticket_, bytes);
  }

 private:
  UploadWatch* watch_ = nullptr;
  int64_t ticket_ = 0;
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_TRANSPORT_UPLOAD_WATCH_H_
