// The object graph of a server and its life: listen, load, serve, drain.
// Used by one thread; what it starts has threads of its own (core/README.md).

#ifndef SALIENCY_SERVER_SERVER_PROCESS_H_
#define SALIENCY_SERVER_SERVER_PROCESS_H_

#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "core/base/clock.h"
#include "core/engine/engine.h"
#include "server/exit_guard.h"
#include "server/loading/model_loader.h"
#include "server/options.h"
#include "server/periodic.h"
#include "server/port_file.h"
#include "server/security/tls_file_watch.h"
#include "server/security/token_file.h"
#include "server/services/health_registry.h"
#include "server/stop_signal.h"
#include "server/telemetry/engine_reporter.h"
#include "server/telemetry/freed_memory.h"
#include "server/telemetry/log.h"
#include "server/telemetry/metrics.h"
#include "server/telemetry/metrics_endpoint.h"
#include "server/transport/call_tracker.h"
#include "server/transport/grpc_server.h"
#include "server/transport/held_calls_watch.h"
#include "server/transport/self_dial.h"
#include "server/watchdog.h"

namespace saliency {

// What a process that could not start exits with.
inline constexpr int kStartFailed = 1;

class ServerProcess {
 public:
  // `options`, `log` and `stop` outlive this.
  ServerProcess(const ServerOptions& options, Log& log, StopSignal& stop);
  ~ServerProcess();

  // Serves until `stop` says so and returns the exit code.  Does not return,
  // but ends the process, when a pass or a load is under way that nobody waits
  // for.
  int Run();

 private:
  // The gRPC services and what they alone use.
  struct Services;

  // Errors: what keeps the server from listening, for the log.
  absl::Status Start();
  absl::Status OpenTokens();
  void TrackCalls();
  absl::Status ListenForCalls();
  absl::Status ListenForProbes();
  absl::Status ListenForScrapes();
  void LogStart();
  void WarnOfWeakSetup();
  void Watch();
  int DrainFor(StopReason reason);

  const ServerOptions& options_;
  Log& log_;
  StopSignal& stop_;
  Clock& clock_;
  // In order of construction: what stands below uses what stands above.
  ExitGuard exit_guard_;  // sees the end of all the others
  Metrics metrics_;
  HealthRegistry registry_;
  EngineReporter reporter_;
  Engine engine_;
  const ConnectionLimits connections_;
  std::unique_ptr<TokenFile> tokens_;  // null: none are asked for
  ConnectionLedger ledger_;
  std::optional<CallTracker> tracker_;
  std::unique_ptr<Services> services_;
  std::unique_ptr<GrpcServer> server_;
  std::optional<HeldCallsWatch> calls_watch_;
  std::optional<TlsFileWatch> tls_watch_;
  std::unique_ptr<GrpcServer> health_server_;
  std::optional<HeldCallsWatch> health_calls_watch_;
  std::unique_ptr<MetricsEndpoint> metrics_endpoint_;
  BoundPorts ports_;
  std::optional<SelfDial> self_dial_;
  std::optional<ModelLoader> loader_;
  std::optional<Watchdog> watchdog_;
  FreedMemory freed_;
  std::optional<Periodic> memory_watch_;
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_SERVER_PROCESS_H_
