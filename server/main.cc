// saliency-server: builds the object graph, top to bottom, and waits.

#include <ATen/Parallel.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/clock.h"
#include "core/base/heap.h"
#include "core/engine/engine.h"
#include "core/image/text.h"
#include "server/calibrations.h"
#include "server/call_desk.h"
#include "server/drain.h"
#include "server/engine_reporter.h"
#include "server/exit_guard.h"
#include "server/freed_memory.h"
#include "server/grpc_server.h"
#include "server/health_board.h"
#include "server/health_service.h"
#include "server/layer_weights_store.h"
#include "server/live_gauges.h"
#include "server/log.h"
#include "server/metrics.h"
#include "server/metrics_endpoint.h"
#include "server/model_catalogue.h"
#include "server/model_loader.h"
#include "server/model_service.h"
#include "server/options.h"
#include "server/periodic.h"
#include "server/port_file.h"
#include "server/reflection_service.h"
#include "server/saliency_service.h"
#include "server/stop_signal.h"
#include "server/tls_file_watch.h"
#include "server/token_file.h"
#include "server/version.h"
#include "server/watchdog.h"

namespace saliency {
namespace {

constexpr int kStartFailed = 1;
constexpr int kDrainTimedOut = 4;
constexpr int kDeviceLost = 5;
constexpr int kStalled = 6;

int ServeUntilStopped(const ServerOptions& options, Log& log,
                      StopSignal& stop) {
  Clock& clock = Clock::Real();
  ExitGuard exit_guard(clock, log);  // first: sees the end of all the others
  Metrics metrics;
  HealthBoard board;
  ModelCatalogue catalogue([&] { board.Publish(HealthOf(catalogue)); });
  board.Publish(HealthOf(catalogue));
  EngineReporter reporter(*metrics.registry(), log, [&] {
    board.StopServing();
    stop.Stop(StopReason::kDeviceLost);
  });
  Engine engine({.limits = options.limits, .cpu_threads = options.cpu_threads},
                clock, reporter);

  const auto failed = [&](const absl::Status& status) {
    log.Error("cannot start", {{"error", status.message()}});
    return kStartFailed;
  };
  std::unique_ptr<TokenFile> tokens;
  if (!options.token_file.empty()) {
    auto opened = TokenFile::Open(options.token_file, clock, log);
    if (!opened.ok()) return failed(opened.status());
    tokens = *std::move(opened);
  }

  CallDesk desk(clock, metrics, log,
                {.tokens = tokens.get(), .send_timeout = options.send_timeout});
  const SubmitJob submit = [&](Job job, JobDone done) {
    engine.Submit(std::move(job), std::move(done));
  };
  SaliencyService saliency_service(
      options.limits, catalogue, desk, submit,
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
    calibrations.emplace(catalogue, CalibrationTools{.limits = options.limits,
                                                     .submit = submit,
                                                     .clock = clock,
                                                     .store = weights_store});
  }
  ModelService model_service(catalogue, desk,
                             calibrations ? &*calibrations : nullptr);
  HealthService health_service(
      board, options.health_without_token ? nullptr : tokens.get());
  HealthService health_only_service(board);
  const std::vector<std::string> services = {
      v1::SaliencyService::service_full_name(),
      v1::ModelService::service_full_name(),
      grpc::health::v1::Health::service_full_name()};
  ReflectionService<ReflectionV1> reflection_v1(services, tokens.get());
  ReflectionService<ReflectionV1Alpha> reflection_v1alpha(services,
                                                          tokens.get());

  auto server =
      GrpcServer::Start({.address = options.listen_address,
                         .max_message_bytes = options.max_message_bytes,
                         .tls = options.tls,
                         .connections = options.connections},
                        {&saliency_service, &model_service, &health_service,
                         &reflection_v1, &reflection_v1alpha});
  if (!server.ok()) return failed(server.status());
  std::optional<TlsFileWatch> tls_watch;
  if (options.tls.enabled()) tls_watch.emplace(options.tls, clock, log);
  BoundPorts ports = {.grpc = (*server)->port()};

  std::unique_ptr<GrpcServer> health_server;
  if (!options.health_address.empty()) {
    auto started = GrpcServer::Start({.address = options.health_address,
                                      .flag = "--health-address",
                                      .connections = options.connections},
                                     {&health_only_service});
    if (!started.ok()) return failed(started.status());
    health_server = *std::move(started);
    ports.health = health_server->port();
  }
  std::unique_ptr<MetricsEndpoint> metrics_endpoint;
  if (!options.metrics_address.empty()) {
    auto started = MetricsEndpoint::Start(
        options.metrics_address,
        {metrics.registry(), std::make_shared<LiveGauges>(
                                 [&] { return engine.load(); }, catalogue)});
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
    watchdog.emplace(std::move(watch), clock, board, log,
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
      Drain(drain, clock, board, desk, [&](absl::Time deadline) {
        if (calibrations) calibrations->Close();
        return engine.Drain(deadline);
      });
  log.Info("stopped", {{"all_answered", drained ? "yes" : "no"}});
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
  KeepFreedMemory();
  BlockTerminationSignals();
  static StopSignal stop;  // outlives the thread that waits for signals
  HandleTerminationSignals(stop);
  // Debian's LibTorch starts with one thread and knows no cgroup.
  at::set_num_threads(options.torch_threads);
  Log log(options.log_format, options.log_level);
  return ServeUntilStopped(options, log, stop);
}

}  // namespace
}  // namespace saliency

int main(int argc, char** argv) { return saliency::Main(argc, argv); }
