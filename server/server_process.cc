#include "server/server_process.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/base/heap.h"
#include "core/base/status.h"
#include "core/image/text.h"
#include "server/calibration/calibrations.h"
#include "server/calibration/layer_weights_store.h"
#include "server/drain.h"
#include "server/process_limits.h"
#include "server/services/health_service.h"
#include "server/services/model_service.h"
#include "server/services/reflection_service.h"
#include "server/services/saliency_service.h"
#include "server/telemetry/live_gauges.h"
#include "server/telemetry/transport_metrics.h"
#include "server/version.h"

namespace saliency {
namespace {

constexpr int kDrainTimedOut = 4;
constexpr int kDeviceLost = 5;
constexpr int kStalled = 6;

// Of the limit on open files, for all but connections of the gRPC port.
constexpr int64_t kOtherFiles = 256;
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

const std::vector<std::string>& ReflectedServices() {
  static const auto* const names = new std::vector<std::string>{
      "saliency.v1.SaliencyService", "saliency.v1.ModelService",
      "grpc.health.v1.Health"};
  return *names;
}

HeldCallsLimits HeldCallsFor(const ConnectionLimits& limits, int max_calls) {
  // A caller may have begun the next call before the end of one was noticed
  // here.
  constexpr int kCallsPerStream = 4;
  // As many again are on their way in or out, or are being refused.
  return {.per_connection = kCallsPerStream * limits.max_streams,
          .total = 2 * max_calls};
}

int ExitCodeOf(StopReason reason) {
  switch (reason) {
    case StopReason::kDeviceLost:
      return kDeviceLost;
    case StopReason::kStalled:
      return kStalled;
    default:
      return kDrainTimedOut;
  }
}

}  // namespace

struct ServerProcess::Services {
  explicit Services(ServerProcess& process)
      : submit([&process](Job job, JobDone done) {
          process.engine_.Submit(std::move(job), std::move(done));
        }),
        saliency(process.options_.limits, process.engine_.models(),
                 *process.tracker_, submit, process.engine_.in_hand(),
                 {.stream = process.options_.stream,
                  .max_weight_studies = process.options_.max_weight_studies,
                  .hold_bytes =
                      [&process](const std::string& caller, int64_t bytes) {
                        return process.engine_.HoldBytes(caller, bytes);
                      }}),
        weights_store(process.engine_.models(), process.log_),
        calibrations(MakeCalibrations(process)),
        models(process.engine_.models(), *process.tracker_, calibrations.get()),
        health(process.registry_,
               process.options_.health_without_token ? nullptr
                                                     : process.tokens_.get(),
               process.tracker_->request_watches()),
        health_ledger(kHealthCaps),
        health_only(process.registry_, nullptr,
                    {.stall = process.tracker_->request_watches().stall}),
        reflection_v1(ReflectedServices(), process.tokens_.get(),
                      process.tracker_->request_watches()),
        reflection_v1alpha(ReflectedServices(), process.tokens_.get(),
                           process.tracker_->request_watches()) {}

  std::unique_ptr<Calibrations> MakeCalibrations(ServerProcess& process) const {
    if (!process.options_.allow_calibration) return nullptr;
    return std::make_unique<Calibrations>(
        process.engine_.models(),
        CalibrationTools{.limits = process.options_.limits,
                         .submit = submit,
                         .clock = process.clock_,
                         .store = weights_store,
                         .in_hand = process.engine_.in_hand()});
  }

  const SubmitJob submit;
  SaliencyService saliency;
  const LayerWeightsStore weights_store;
  const std::unique_ptr<Calibrations> calibrations;  // null: not allowed
  ModelService models;
  HealthService health;
  // Of the port for probes.
  ConnectionLedger health_ledger;
  HealthService health_only;
  ReflectionService<ReflectionV1> reflection_v1;
  ReflectionService<ReflectionV1Alpha> reflection_v1alpha;
};

ServerProcess::ServerProcess(const ServerOptions& options, Log& log,
                             StopSignal& stop)
    : options_(options),
      log_(log),
      stop_(stop),
      clock_(Clock::Real()),
      exit_guard_(clock_, log),
      reporter_(*metrics_.registry(), log,
                [this] {
                  registry_.StopServing();
                  stop_.Stop(StopReason::kDeviceLost);
                }),
      engine_({.limits = options.limits,
               .cpu_threads = options.cpu_threads,
               .on_models_change =
                   [this] { registry_.Publish(HealthOf(engine_.models())); }},
              clock_, reporter_),
      connections_(WithinFiles(options.connections, RaiseFileLimit(), log)),
      ledger_(connections_.caps),
      freed_(options.freed_memory) {
  registry_.Publish(HealthOf(engine_.models()));
}

ServerProcess::~ServerProcess() = default;

int ServerProcess::Run() {
  if (const absl::Status started = Start(); !started.ok()) {
    log_.Error("cannot start", {{"error", started.message()}});
    return kStartFailed;
  }
  LogStart();
  self_dial_.emplace(SelfDialOptions{.host = options_.listen_address.substr(
                                         0, options_.listen_address.rfind(':')),
                                     .tls = options_.tls.enabled()},
                     *server_->acceptor(), clock_, log_,
                     [this](bool answers) { registry_.SetReachable(answers); });
  WarnOfWeakSetup();
  loader_.emplace(
      ModelLoader::Options{.repository = options_.models,
                           .parallel_loads = options_.parallel_loads,
                           .load_timeout = options_.load_timeout},
      engine_, metrics_, log_);
  Watch();
  return DrainFor(stop_.Await());
}

absl::Status ServerProcess::Start() {
  RETURN_IF_ERROR(OpenTokens());
  TrackCalls();
  services_ = std::make_unique<Services>(*this);
  RETURN_IF_ERROR(ListenForCalls());
  RETURN_IF_ERROR(ListenForProbes());
  RETURN_IF_ERROR(ListenForScrapes());
  if (options_.port_file.empty()) return absl::OkStatus();
  return WritePortFile(options_.port_file, ports_);
}

absl::Status ServerProcess::OpenTokens() {
  if (options_.token_file.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(tokens_, TokenFile::Open(options_.token_file, clock_, log_));
  return absl::OkStatus();
}

void ServerProcess::TrackCalls() {
  tracker_.emplace(
      clock_, metrics_, log_,
      CallTracker::Options{
          .tokens = tokens_.get(),
          .send_timeout = options_.send_timeout,
          .receive_timeout = options_.receive_timeout,
          .max_calls = options_.max_calls,
          .upload_bytes = UploadBytes(connections_, options_.max_message_bytes),
          .ledger = &ledger_});
}

absl::Status ServerProcess::ListenForCalls() {
  ASSIGN_OR_RETURN(
      server_,
      GrpcServer::Start(
          {.address = options_.listen_address,
           .max_message_bytes = options_.max_message_bytes,
           .tls = options_.tls,
           .connections = connections_,
           .ledger = &ledger_},
          {&services_->saliency, &services_->models, &services_->health,
           &services_->reflection_v1, &services_->reflection_v1alpha}));
  calls_watch_.emplace(HeldCallsFor(connections_, options_.max_calls),
                       server_->channelz_id(), ledger_, clock_, log_);
  if (options_.tls.enabled()) {
    tls_watch_.emplace(server_->identity(), clock_, log_);
  }
  ports_.grpc = server_->port();
  return absl::OkStatus();
}

absl::Status ServerProcess::ListenForProbes() {
  if (options_.health_address.empty()) return absl::OkStatus();
  ConnectionLimits few = connections_;
  few.caps = kHealthCaps;
  few.max_idle = kMaxHealthIdle;
  few.transport_bytes = kHealthTransportBytes;
  ASSIGN_OR_RETURN(
      health_server_,
      GrpcServer::Start({.address = options_.health_address,
                         .flag = "--health-address",
                         .max_message_bytes = kMaxHealthMessageBytes,
                         .connections = few,
                         .ledger = &services_->health_ledger},
                        {&services_->health_only}));
  health_calls_watch_.emplace(HeldCallsFor(few, options_.max_calls),
                              health_server_->channelz_id(),
                              services_->health_ledger, clock_, log_);
  ports_.health = health_server_->port();
  return absl::OkStatus();
}

absl::Status ServerProcess::ListenForScrapes() {
  if (options_.metrics_address.empty()) return absl::OkStatus();
  std::map<std::string, ConnectionAcceptor*> acceptors = {
      {"grpc", server_->acceptor()}};
  if (health_server_ != nullptr) {
    acceptors["health"] = health_server_->acceptor();
  }
  ASSIGN_OR_RETURN(
      metrics_endpoint_,
      MetricsEndpoint::Start(
          options_.metrics_address,
          {metrics_.registry(),
           std::make_shared<LiveGauges>([this] { return engine_.load(); },
                                        engine_.models()),
           std::make_shared<TransportMetrics>(
               std::move(acceptors), log_,
               tls_watch_ ? &*tls_watch_ : nullptr)}));
  ports_.metrics = metrics_endpoint_->port();
  return absl::OkStatus();
}

void ServerProcess::LogStart() {
  log_.Info("listening", {{"version", VersionText()},
                          {"grpc_port", ports_.grpc},
                          {"health_port", ports_.health},
                          {"metrics_port", ports_.metrics},
                          {"torch_threads", options_.torch_threads},
                          {"cpu_threads", options_.cpu_threads}});
}

void ServerProcess::WarnOfWeakSetup() {
  if (tokens_ != nullptr && !options_.tls.enabled() &&
      !IsLoopback(options_.listen_address)) {
    log_.Warning("tokens are taken in plain text: others may read them");
  }
  if (!DrawsAllScripts()) {
    log_.Warning(
        "no font is installed (fonts-dejavu-core): on overlays, text beyond "
        "ASCII is question marks");
  }
}

void ServerProcess::Watch() {
  if (options_.stall_timeout > absl::ZeroDuration()) {
    Watchdog::Options watch = {.timeout = options_.stall_timeout};
    if (options_.exit_on_stall) {
      watch.on_stall = [this] { stop_.Stop(StopReason::kStalled); };
    }
    watchdog_.emplace(std::move(watch), clock_, registry_, log_,
                      [this] { return engine_.LongestIdle(); });
  }
  memory_watch_.emplace(clock_, absl::Seconds(1), [this] {
    const bool has_work = engine_.load().in_flight > 0;
    if (!freed_.Sample(clock_.Now(), MeasureHeap(), has_work)) return;
    ReturnFreedMemory();
    freed_.Returned(MeasureHeap());
  });
}

int ServerProcess::DrainFor(StopReason reason) {
  log_.Info("draining",
            {{"delay", absl::FormatDuration(options_.drain_delay)},
             {"timeout", absl::FormatDuration(options_.drain_timeout)}});
  // Nothing is gained by serving on without the device, or with a thread that
  // hangs.
  const bool lost = reason != StopReason::kSignal;
  const int failed_code = ExitCodeOf(reason);
  const DrainOptions drain = {
      .delay = lost ? absl::ZeroDuration() : options_.drain_delay,
      .timeout = options_.drain_timeout};
  exit_guard_.Arm(clock_.Now() + drain.delay + drain.timeout + 2 * kDrainFlush,
                  failed_code);
  const bool drained =
      Drain(drain, clock_, registry_, *tracker_, [this](absl::Time deadline) {
        if (services_->calibrations) services_->calibrations->Close();
        return engine_.Drain(deadline);
      });
  log_.Info("stopped", {{"all_answered", drained ? "yes" : "no"}});
  log_.Flush(absl::Seconds(1));
  const int code = drained && !lost ? 0 : failed_code;
  // A pass or a load that is under way may take minutes, and the destructors
  // would wait for it.
  const bool loading = !loader_->Stop();
  if (!drained || loading) std::_Exit(code);
  return code;
}

}  // namespace saliency
