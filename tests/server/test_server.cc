#include "tests/server/test_server.h"

#include <algorithm>
#include <utility>

namespace saliency {
namespace {

bool Carries(const prometheus::ClientMetric& metric,
             const std::map<std::string, std::string>& labels) {
  return std::all_of(labels.begin(), labels.end(), [&](const auto& wanted) {
    return std::any_of(metric.label.begin(), metric.label.end(),
                       [&](const prometheus::ClientMetric::Label& label) {
                         return label.name == wanted.first &&
                                label.value == wanted.second;
                       });
  });
}

double ValueOf(const prometheus::ClientMetric& metric) {
  return metric.counter.value + metric.gauge.value +
         static_cast<double>(metric.histogram.sample_count);
}

std::unique_ptr<TokenFile> OpenTokens(const std::string& path, Log& log) {
  if (path.empty()) return nullptr;
  return TokenFile::Open(path, Clock::Real(), log).value();
}

std::vector<std::string> OwnServices() {
  return {v1::SaliencyService::service_full_name(),
          v1::ModelService::service_full_name(),
          grpc::health::v1::Health::service_full_name()};
}

}  // namespace

TestServer::TestServer(Options options)
    : options_(std::move(options)),
      engine_(
          {.limits = options_.limits, .cpu_threads = options_.cpu_threads,
           .on_models_change =
               [this] { registry_.Publish(HealthOf(engine_.models())); }},
          Clock::Real(), reporter_),
      tokens_(OpenTokens(options_.token_file, log_)),
      ledger_(options_.listen.connections.caps),
      tracker_(Clock::Real(), metrics_, log_,
            {.tokens = tokens_.get(),
             .send_timeout = options_.send_timeout,
             .receive_timeout = options_.receive_timeout,
             .max_calls = options_.max_calls,
             .upload_bytes = options_.upload_bytes,
             .ledger = &ledger_}),
      submit_(options_.submit != nullptr
                  ? options_.submit
                  : [this](Job job, JobDone done) {
                      engine_.Submit(std::move(job), std::move(done));
                    }),
      saliency_service_(options_.limits, engine_.models(), tracker_, submit_, engine_.in_hand(),
                        {.stream = options_.stream,
                         .copies = options_.copies,
                         .hold_bytes =
                             [this](const std::string& caller, int64_t bytes) {
                               return engine_.HoldBytes(caller, bytes);
                             }}),
      calibrations_(
          options_.allow_calibration
              ? std::make_unique<Calibrations>(
                    engine_.models(),
                    CalibrationTools{
                        .limits = options_.limits,
                        .submit = submit_,
                        .clock = Clock::Real(),
                        .store = weights_store_,
                        .in_hand = engine_.in_hand(),
                        .idle_timeout = options_.calibration_idle_timeout,
                        .max_feature_bytes = options_.max_feature_bytes})
              : nullptr),
      model_service_(engine_.models(), tracker_, calibrations_.get()),
      health_service_(registry_,
                      options_.health_without_token ? nullptr : tokens_.get(),
                      tracker_.request_watches()),
      reflection_v1_(OwnServices(), tokens_.get(), tracker_.request_watches()),
      reflection_v1alpha_(OwnServices(), tokens_.get(), tracker_.request_watches()) {
  registry_.Publish(HealthOf(engine_.models()));
  ListenOptions listen = options_.listen;
  listen.ledger = &ledger_;
  server_ = GrpcServer::Start(
                listen, {&saliency_service_, &model_service_, &health_service_,
                         &reflection_v1_, &reflection_v1alpha_})
                .value();
  calls_watch_ = std::make_unique<HeldCallsWatch>(options_.held_calls,
                                                  server_->channelz_id(),
                                                  ledger_, Clock::Real(), log_);
  if (options_.listen.tls.enabled()) {
    tls_watch_ = std::make_unique<TlsFileWatch>(server_->identity(),
                                                Clock::Real(), log_);
  }
  channel_ = server_->InProcessChannel();
  saliency_stub_ = v1::SaliencyService::NewStub(channel_);
  model_stub_ = v1::ModelService::NewStub(channel_);
  health_stub_ = grpc::health::v1::Health::NewStub(channel_);
}

void TestServer::AddFakeModel(const std::string& sha256) {
  const ModelMetadata metadata = FakeModel();
  std::vector<std::unique_ptr<Explainer>> explainers;
  explainers.push_back(
      std::make_unique<FakeExplainer>(explainer_log_, options_.hook));
  table().Publish({.model = metadata.name,
                   .version = metadata.version,
                   .metadata = std::make_shared<const ModelMetadata>(metadata),
                   .sha256 = sha256,
                   .folder = options_.folder},
                  engine_.StartModel(metadata, std::move(explainers), nullptr));
  table().MarkListed();
}

double TestServer::Metric(
    const std::string& name,
    const std::map<std::string, std::string>& labels) const {
  std::vector<prometheus::MetricFamily> families =
      metrics_.registry()->Collect();
  for (prometheus::MetricFamily& family : gauges_.Collect()) {
    families.push_back(std::move(family));
  }
  double sum = 0;
  for (const prometheus::MetricFamily& family : families) {
    if (family.name != name) continue;
    for (const prometheus::ClientMetric& metric : family.metric) {
      if (Carries(metric, labels)) sum += ValueOf(metric);
    }
  }
  return sum;
}

v1::ComputeSaliencyRequest FakeRequest() {
  v1::ComputeSaliencyRequest request;
  v1::Tensor* tensor = request.mutable_input()->mutable_tensor();
  for (const int size : {3, 8, 8}) tensor->add_shape(size);
  tensor->set_data(std::string(3 * 8 * 8 * sizeof(float), '\0'));
  v1::Attribution* attribution = request.add_attributions();
  attribution->set_method("norm_grad");
  attribution->add_layers("conv");
  request.mutable_output()->set_named_size(v1::NAMED_SIZE_LAYER);
  request.mutable_output()->set_normalise(false);
  return request;
}

}  // namespace saliency
