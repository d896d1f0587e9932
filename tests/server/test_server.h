// A whole server in one process, on no port unless asked for: real services,
// real engine, a fake model with gates to hold its worker, and a channel to
// talk to it.
// Thread-compatible.

#ifndef SALIENCY_TESTS_SERVER_TEST_SERVER_H_
#define SALIENCY_TESTS_SERVER_TEST_SERVER_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/mutex.h"
#include "core/engine/engine.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "prometheus/metric_family.h"
#include "saliency/v1/model_service.grpc.pb.h"
#include "saliency/v1/saliency_service.grpc.pb.h"
#include "server/calibration/calibrations.h"
#include "server/calibration/layer_weights_store.h"
#include "server/security/tls_file_watch.h"
#include "server/security/token_file.h"
#include "server/services/health_registry.h"
#include "server/services/health_service.h"
#include "server/services/model_service.h"
#include "server/services/reflection_service.h"
#include "server/services/saliency_service.h"
#include "server/telemetry/engine_reporter.h"
#include "server/telemetry/live_gauges.h"
#include "server/telemetry/log.h"
#include "server/telemetry/metrics.h"
#include "server/transport/call_tracker.h"
#include "server/transport/grpc_server.h"
#include "server/transport/held_calls_watch.h"
#include "tests/support/fakes.h"

namespace saliency {

// The lines a log wrote.  Thread-safe.
class LogLines {
 public:
  Log::Sink Sink() {
    return [this](const std::string& line) {
      MutexLock lock(&mu_);
      lines_.push_back(line);
    };
  }
  std::vector<std::string> all() const {
    MutexLock lock(&mu_);
    return lines_;
  }

 private:
  mutable Mutex mu_;
  std::vector<std::string> lines_ ABSL_GUARDED_BY(mu_);
};

class TestServer {
 public:
  struct Options {
    EngineLimits limits;
    int cpu_threads = 2;       // of the engine
    FakeExplainer::Hook hook;  // before each batch
    // Replaces the engine when set.
    SubmitJob submit;
    ListenOptions listen = {};
    std::string token_file = {};  // a path; empty: everybody may come in
    bool health_without_token = false;
    absl::Duration send_timeout = absl::ZeroDuration();     // zero: for ever
    absl::Duration receive_timeout = absl::ZeroDuration();  // for ever
    int max_calls = 4096;
    HeldCallsLimits held_calls = {};
    int64_t upload_bytes = UploadWatch::Options().bytes;
    StreamLimits stream = {};
    bool allow_calibration = false;
    std::string folder = {};  // of FakeModel's version
    absl::Duration calibration_idle_timeout = absl::Minutes(5);
    int64_t max_feature_bytes = int64_t{1} << 30;
    CopiesOfModel copies = {};  // null: from files, of which there are none
  };

  TestServer() : TestServer(Options()) {}
  explicit TestServer(Options options);

  // Serves FakeModel() as ready, version 1; one that was there is replaced.
  void AddFakeModel(const std::string& sha256 = std::string(64, 'a'));

  v1::SaliencyService::Stub& saliency() { return *saliency_stub_; }
  v1::ModelService::Stub& models() { return *model_stub_; }
  grpc::health::v1::Health::Stub& health() { return *health_stub_; }

  // Of options.listen.
  int port() const { return server_->port(); }
  // Ends the port, as the server's end does.  Nothing can be asked afterwards.
  void StopListening() { server_ = nullptr; }
  GrpcServer& grpc_server() { return *server_; }
  const TlsFileWatch* tls_watch() const { return tls_watch_.get(); }
  std::shared_ptr<grpc::Channel> channel() const { return channel_; }

  ModelTable& table() { return engine_.models(); }
  HealthRegistry& registry() { return registry_; }
  CallTracker& tracker() { return tracker_; }
  Calibrations& calibrations() { return *calibrations_; }
  Engine& engine() { return engine_; }
  Clock& clock() { return Clock::Real(); }
  ExplainerLog& explainer_log() { return explainer_log_; }
  std::vector<std::string> log_lines() const { return lines_.all(); }

  // The value of a counter or gauge, or the count of a histogram, summed over
  // the series that carry `labels`.
  double Metric(const std::string& name,
                const std::map<std::string, std::string>& labels = {}) const;

 private:
  const Options options_;
  LogLines lines_;
  Log log_{LogFormat::kJson, LogLevel::kDebug, lines_.Sink()};
  Metrics metrics_;
  HealthRegistry registry_;
  EngineReporter reporter_{*metrics_.registry(), log_, [] {}};
  ExplainerLog explainer_log_;
  Engine engine_;
  LiveGauges gauges_{[this] { return engine_.load(); }, engine_.models()};
  const std::unique_ptr<TokenFile> tokens_;
  ConnectionLedger ledger_;
  CallTracker tracker_;
  const SubmitJob submit_;
  SaliencyService saliency_service_;
  const LayerWeightsStore weights_store_{engine_.models(), log_};
  const std::unique_ptr<Calibrations> calibrations_;
  ModelService model_service_;
  HealthService health_service_;
  ReflectionService<ReflectionV1> reflection_v1_;
  ReflectionService<ReflectionV1Alpha> reflection_v1alpha_;
  std::unique_ptr<GrpcServer> server_;
  std::unique_ptr<HeldCallsWatch> calls_watch_;
  std::unique_ptr<TlsFileWatch> tls_watch_;  // null: plain text
  std::shared_ptr<grpc::Channel> channel_;   // in process
  std::unique_ptr<v1::SaliencyService::Stub> saliency_stub_;
  std::unique_ptr<v1::ModelService::Stub> model_stub_;
  std::unique_ptr<grpc::health::v1::Health::Stub> health_stub_;
};

// A request that FakeModel answers: norm_grad at "conv" of a tensor of zeros,
// raw maps at layer resolution.
v1::ComputeSaliencyRequest FakeRequest();

}  // namespace saliency

#endif  // SALIENCY_TESTS_SERVER_TEST_SERVER_H_
