// saliency-server: builds the object graph, top to bottom, and waits.

#include <ATen/Parallel.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/clock.h"
#include "core/base/cpu_limit.h"
#include "core/base/heap.h"
#include "core/engine/engine.h"
#include "core/image/text.h"
#include "server/calibration/calibrations.h"
#include "server/calibration/layer_weights_store.h"
#include "server/drain.h"
#include "server/exit_guard.h"
#include "server/loading/model_catalogue.h"
#include "server/loading/model_loader.h"
#include "server/options.h"
#include "server/periodic.h"
#include "server/port_file.h"
#include "server/process_limits.h"
#include "server/security/tls_file_watch.h"
#include "server/security/token_file.h"
#include "server/services/health_registry.h"
#include "server/services/health_service.h"
#include "server/services/model_service.h"
#include "server/services/reflection_service.h"
#include "server/services/saliency_service.h"
#include "server/stop_signal.h"
#include "server/telemetry/engine_reporter.h"
#include "server/telemetry/freed_memory.h"
#include "server/telemetry/library_logs.h"
#include "server/telemetry/live_gauges.h"
#include "server/telemetry/log.h"
#include "server/telemetry/metrics.h"
#include "server/telemetry/metrics_endpoint.h"
#include "server/telemetry/transport_metrics.h"
#include "server/transport/call_tracker.h"
#include "server/transport/file_descriptor.h"
#include "server/transport/grpc_server.h"
#include "server/transport/self_dial.h"
#include "server/version.h"
#include "server/watchdog.h"

namespace saliency {
namespace {

constexpr int kStartFailed = 1;
constexpr int kDrainTimedOut = 4;
constexpr int kDeviceLost = 5;
constexpr int kStalled = 6;

// Of the limit on open files, for all but connections of the gRPC port.
constexpr int64_t kOtherFiles = 256;
// gRPC's, OpenMP's, and ours but for those that options say how many.
constexpr int kOtherThreads = 24;
// A caller may have begun the next call before the end of one was noticed here.
constexpr int kCallsPerStream = 4;
// The port for probes needs few of everything.
constexpr int64_t kMaxHealthMessageBytes = 4 << 10;
constexpr int64_t kHealthTransportBytes = int64_t{32} << 20;
constexpr ConnectionCaps kHealthCaps = {.total = 128, .per_peer = 64};
constexpr absl::Duration kMaxHealthIdle = absl::Minutes(1);

// As many connections as there are files for them.
ConnectionLimits WithinFiles(ConnectionLimits limits, int64_t files, Log& log) {
  const int64_t most = std::max<int64_t>(files - kOtherFiles, 16);
  if (limits.caps.total > most) {
    log.Warning(
        "fewer connections than --max-connections: too few open files "
        "are allowed",
        {{"connections", most}, {"open_files", files}});
    limits.caps.total = static_cast<int>(most);
  }
  return limits;
}

int ServeUntilStopped(const ServerOptions& options, Log& log,
                      StopSignal& stop) {
  Clock& clock = Clock::Real();
  ExitGuard exit_guard(clock, log);  // first: sees the end of all the others
  Metrics metrics;
  HealthRegistry registry;
  ModelCatalogue catalogue([&] { registry.Publish(HealthOf(catalogue)); });
  registry.Publish(HealthOf(catalogue));
  EngineReporter reporter(*metrics.registry(), log, [&] {
    registry.StopServing();
    stop.Stop(StopReason::kDeviceLost);
  });
  Engine engine({.limits = options.limits, .cpu_threads = options.cpu_threads},
                clock, reporter);

  const auto failed = [&](const absl::Status& status) {
    log.Error("cannot start", {{"error", status.message()}});
    return kStartFailed;
  };
  const ConnectionLimits connections =
      WithinFiles(options.connections, RaiseFileLimit(), log);
  std::unique_ptr<TokenFile> tokens;
  if (!options.token_file.empty()) {
    auto opened = TokenFile::Open(options.token_file, clock, log);
    if (!opened.ok()) return failed(opened.status());
    tokens = *std::move(opened);
  }

  ConnectionLedger ledger(connections.caps);
  CallTracker tracker(
      clock, metrics, log,
      {.tokens = tokens.get(),
       .send_timeout = options.send_timeout,
       .receive_timeout = options.receive_timeout,
       .max_calls = options.max_calls,
       .max_calls_per_connection = kCallsPerStream * connections.max_streams,
       .upload_bytes = UploadBytes(connections, options.max_message_bytes),
       .ledger = &ledger});
  const SubmitJob submit = [&](Job job, JobDone done) {
    engine.Submit(std::move(job), std::move(done));
  };
  SaliencyService saliency_service(
      options.limits, catalogue, tracker, submit, engine.in_hand(),
      {.stream = options.stream,
       .max_weight_studies = options.max_weight_studies,
       .hold_bytes = [&](const std::string& caller, int64_t bytes) {
         return engine.HoldBytes(caller, bytes);
       }});
  const LayerWeightsStore weights_store(
      catalogue, log,
      [&](absl::string_view model, int64_t version, LayerWeights weights) {
        return engine.SetLayerWeights(model, version, std::move(weights));
      });
  std::optional<Calibrations> calibrations;
  if (options.allow_calibration) {
    calibrations.emplace(catalogue,
                         CalibrationTools{.limits = options.limits,
                                          .submit = submit,
                                          .clock = clock,
                                          .store = weights_store,
                                          .in_hand = engine.in_hand()});
  }
  ModelService model_service(catalogue, tracker,
                             calibrations ? &*calibrations : nullptr);
  HealthService health_service(
      registry, options.health_without_token ? nullptr : tokens.get(),
      tracker.request_watches());
  ConnectionLedger health_ledger(kHealthCaps);
  ConnectionCalls health_calls(log, &health_ledger,
                               kCallsPerStream * connections.max_streams);
  HealthService health_only_service(
      registry, nullptr,
      {.stall = tracker.request_watches().stall, .calls = &health_calls});
  const std::vector<std::string> services = {"saliency.v1.SaliencyService",
                                             "saliency.v1.ModelService",
                                             "grpc.health.v1.Health"};
  ReflectionService<ReflectionV1> reflection_v1(services, tokens.get(),
                                                tracker.request_watches());
  ReflectionService<ReflectionV1Alpha> reflection_v1alpha(
      services, tokens.get(), tracker.request_watches());

  auto server =
      GrpcServer::Start({.address = options.listen_address,
                         .max_message_bytes = options.max_message_bytes,
                         .tls = options.tls,
                         .connections = connections,
                         .ledger = &ledger},
                        {&saliency_service, &model_service, &health_service,
                         &reflection_v1, &reflection_v1alpha});
  if (!server.ok()) return failed(server.status());
  std::optional<TlsFileWatch> tls_watch;
  if (options.tls.enabled()) {
    tls_watch.emplace((*server)->identity(), clock, log);
  }
  BoundPorts ports = {.grpc = (*server)->port()};

  std::unique_ptr<GrpcServer> health_server;
  if (!options.health_address.empty()) {
    ConnectionLimits few = connections;
    few.caps = kHealthCaps;
    few.max_idle = kMaxHealthIdle;
    few.transport_bytes = kHealthTransportBytes;
    auto started =
        GrpcServer::Start({.address = options.health_address,
                           .flag = "--health-address",
                           .max_message_bytes = kMaxHealthMessageBytes,
                           .connections = few,
                           .ledger = &health_ledger},
                          {&health_only_service});
    if (!started.ok()) return failed(started.status());
    health_server = *std::move(started);
    ports.health = health_server->port();
  }
  std::map<std::string, ConnectionAcceptor*> acceptors = {
      {"grpc", (*server)->acceptor()}};
  if (health_server != nullptr) acceptors["health"] = health_server->acceptor();
  std::unique_ptr<MetricsEndpoint> metrics_endpoint;
  if (!options.metrics_address.empty()) {
    auto started = MetricsEndpoint::Start(
        options.metrics_address,
        {metrics.registry(),
         std::make_shared<LiveGauges>([&] { return engine.load(); }, catalogue),
         std::make_shared<TransportMetrics>(
             std::move(acceptors), log, tls_watch ? &*tls_watch : nullptr)});
    if (!started.ok()) return failed(started.status());
    metrics_endpoint = *std::move(started);
    ports.metrics = metrics_endpoint->port();
  }
  if (!options.port_file.empty()) {
    const absl::Status written = WritePortFile(options.port_file, ports);
    if (!written.ok()) return failed(written);
  }
  log.Info("listening", {{"version", VersionText()},
                         {"grpc_port", ports.grpc},
                         {"health_port", ports.health},
                         {"metrics_port", ports.metrics},
                         {"torch_threads", options.torch_threads},
                         {"cpu_threads", options.cpu_threads}});

  const SelfDial self_dial(
      {.host =
           options.listen_address.substr(0, options.listen_address.rfind(':')),
       .tls = options.tls.enabled()},
      *(*server)->acceptor(), clock, log,
      [&](bool answers) { registry.SetReachable(answers); });

  if (tokens != nullptr && !options.tls.enabled() &&
      !IsLoopback(options.listen_address)) {
    log.Warning("tokens are taken in plain text: others may read them");
  }
  if (!DrawsAllScripts()) {
    log.Warning(
        "no font is installed (fonts-dejavu-core): on overlays, text beyond "
        "ASCII is question marks");
  }

  ModelLoader loader({.repository = options.models,
                      .parallel_loads = options.parallel_loads,
                      .load_timeout = options.load_timeout},
                     catalogue, engine, metrics, log);
  std::optional<Watchdog> watchdog;
  if (options.stall_timeout > absl::ZeroDuration()) {
    Watchdog::Options watch = {.timeout = options.stall_timeout};
    if (options.exit_on_stall) {
      watch.on_stall = [&] { stop.Stop(StopReason::kStalled); };
    }
    watchdog.emplace(std::move(watch), clock, registry, log,
                     [&] { return engine.LongestIdle(); });
  }
  FreedMemory freed(options.freed_memory);
  Periodic memory_watch(clock, absl::Seconds(1), [&] {
    const bool has_work = engine.load().in_flight > 0;
    if (!freed.Sample(clock.Now(), MeasureHeap(), has_work)) return;
    ReturnFreedMemory();
    freed.Returned(MeasureHeap());
  });
  const StopReason reason = stop.Await();
  log.Info("draining",
           {{"delay", absl::FormatDuration(options.drain_delay)},
            {"timeout", absl::FormatDuration(options.drain_timeout)}});
  // Nothing is gained by serving on without the device, or with a thread that
  // hangs.
  const bool lost = reason != StopReason::kSignal;
  const int failed_code = reason == StopReason::kDeviceLost ? kDeviceLost
                          : reason == StopReason::kStalled  ? kStalled
                                                            : kDrainTimedOut;
  const DrainOptions drain = {
      .delay = lost ? absl::ZeroDuration() : options.drain_delay,
      .timeout = options.drain_timeout};
  exit_guard.Arm(clock.Now() + drain.delay + drain.timeout + 2 * kDrainFlush,
                 failed_code);
  const bool drained =
      Drain(drain, clock, registry, tracker, [&](absl::Time deadline) {
        if (calibrations) calibrations->Close();
        return engine.Drain(deadline);
      });
  log.Info("stopped", {{"all_answered", drained ? "yes" : "no"}});
  log.Flush(absl::Seconds(1));
  const int code = drained && !lost ? 0 : failed_code;
  // A pass or a load that is under way may take minutes, and the destructors
  // would wait for it.
  const bool loading = !loader.Stop();
  if (!drained || loading) std::_Exit(code);
  return code;
}

int Main(int argc, char** argv) {
  auto parsed = ParseCommandLine({argv + 1, argv + argc});
  if (const auto* exit = std::get_if<CommandLineExit>(&parsed)) {
    std::fputs(exit->output.c_str(), exit->code == 0 ? stdout : stderr);
    return exit->code;
  }
  const auto& options = std::get<ServerOptions>(parsed);
  // First: all that follows starts threads.
  const absl::Status threads =
      CheckThreads(options.cpu_threads + options.torch_threads + kOtherThreads);
  if (!threads.ok()) {
    Log log(options.log_format, options.log_level, [](const std::string& line) {
      std::fprintf(stderr, "%s\n", line.c_str());
    });
    log.Error("cannot start", {{"error", threads.message()}});
    return kStartFailed;
  }
  ShowCpus(AvailableCpus());
  KeepFreedMemory();
  BlockTerminationSignals();
  static StopSignal stop;  // outlives the thread that waits for signals
  HandleTerminationSignals(stop);
  // Debian's LibTorch starts with one thread and knows no cgroup.
  at::set_num_threads(options.torch_threads);
  std::signal(SIGPIPE, SIG_IGN);  // a reader of our output that has gone
  const FileDescriptor real_stderr(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3));
  Log log({.format = options.log_format,
           .level = options.log_level,
           .lines_per_second = options.log_lines_per_second},
          real_stderr.get());
  const LibraryMessages library_messages(log);
  const auto stderr_reader = StderrReader::Start(log, real_stderr.get());
  if (!stderr_reader.ok()) {
    log.Error("cannot start", {{"error", stderr_reader.status().message()}});
    return kStartFailed;
  }
  return ServeUntilStopped(options, log, stop);
}

}  // namespace
}  // namespace saliency

int main(int argc, char** argv) { return saliency::Main(argc, argv); }
