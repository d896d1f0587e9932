// Counts the calls of each connection and resets one that begins them faster
// than they end: what its peer has reset goes on here until it is noticed, and
// HTTP/2 counts it no more.
// Thread-safe.

#ifndef SALIENCY_SERVER_TRANSPORT_CONNECTION_CALLS_H_
#define SALIENCY_SERVER_TRANSPORT_CONNECTION_CALLS_H_

#include <string>
#include <unordered_map>

#include "core/base/mutex.h"
#include "grpcpp/server_context.h"
#include "server/telemetry/log.h"
#include "server/transport/connection_ledger.h"

namespace saliency {

class ConnectionCalls {
 public:
  // `max` calls of a connection may be in progress.  Null `ledger`: nobody
  // knows the connections, and none is reset.  All outlive this.
  ConnectionCalls(Log& log, ConnectionLedger* ledger, int max)
      : log_(log), ledger_(ledger), max_(max) {}

  // `connection` is as grpc::ServerContextBase::peer() names it when the call
  // arrives; that may change.
  void Begin(const std::string& connection) ABSL_LOCKS_EXCLUDED(mu_);
  void End(const std::string& connection) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  Log& log_;
  ConnectionLedger* const ledger_;
  const int max_;
  Mutex mu_;
  std::unordered_map<std::string, int> calls_ ABSL_GUARDED_BY(mu_);  // > 0
};

// One call, from its arrival to its end.
class ConnectionCall {
 public:
  // `calls` outlives this, or End before; null: it is not counted.
  ConnectionCall(ConnectionCalls* calls,
                 const grpc::ServerContextBase& context);
  ~ConnectionCall() { End(); }
  ConnectionCall(const ConnectionCall&) = delete;
  ConnectionCall& operator=(const ConnectionCall&) = delete;

  // For an object that answers may hold after gRPC, and perhaps the server, is
  // done with the call.  Not from two threads at once.
  void End();

 private:
  ConnectionCalls* calls_;  // null: ended, or never begun
  const std::string connection_;
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_TRANSPORT_CONNECTION_CALLS_H_
