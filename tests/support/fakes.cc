#include "tests/support/fakes.h"

#include <ATen/ATen.h>

#include <utility>

#include "absl/strings/str_cat.h"

namespace saliency {
namespace {

// Condition for a lambda that outlives the wait.
template <typename F>
bool Call(F* f) {
  return (*f)();
}

// What a meta step adds to the answer.
void AddStep(const PassItem& item, PassAnswer& answer) {
  if (!item.variants.front().meta.has_value()) return;
  answer.variants.front().stepped_logits =
      answer.logits.repeat_interleave(static_cast<int64_t>(item.targets.size()),
                                      0) +
      100;
}

// Beside the first variant's the maps of another are upside down.
void AddOthers(const PassItem& item, PassAnswer& answer) {
  for (std::size_t v = 1; v < item.variants.size(); ++v) {
    VariantAnswer made = {.score = answer.variants.front().score};
    for (const absl::StatusOr<at::Tensor>& map : answer.variants.front().maps) {
      made.maps.push_back(map->flip({0, 1}));
    }
    answer.variants.push_back(std::move(made));
  }
}

void AddPooled(const PassItem& item, PassAnswer& answer) {
  const auto channels = [](const std::string& layer) {
    if (layer == "input") return 3;
    return layer == "last" ? 8 : 4;
  };
  for (int64_t p = 0; p < item.input.size(0); ++p) {
    const at::Tensor means = item.input[p].mean({1, 2}).repeat({3});
    for (const std::string& layer : item.pooled_layers) {
      answer.pooled.push_back(means.narrow(0, 0, channels(layer)));
    }
  }
}

}  // namespace

absl::Time FakeClock::Now() {
  return absl::UnixEpoch() + absl::Nanoseconds(nanoseconds_.load());
}

bool FakeClock::AwaitWithDeadline(Mutex* mu, const absl::Condition& condition,
                                  absl::Time deadline) {
  const bool timed = deadline != absl::InfiniteFuture();
  {
    MutexLock lock(&mu_);
    waiters_.insert(mu);
    if (timed) ++timed_waiters_;
  }
  auto over = [&]() { return condition.Eval() || Now() >= deadline; };
  mu->Await(absl::Condition(&Call<decltype(over)>, &over));
  const bool holds = condition.Eval();
  MutexLock lock(&mu_);
  waiters_.erase(waiters_.find(mu));
  if (timed) --timed_waiters_;
  return holds;
}

void FakeClock::Advance(absl::Duration step) {
  nanoseconds_ += absl::ToInt64Nanoseconds(step);
  std::multiset<Mutex*> waiters;
  {
    MutexLock lock(&mu_);
    waiters = waiters_;
  }
  // A mutex looks at its waiters' conditions when it is unlocked.
  for (Mutex* mu : waiters) MutexLock poke(mu);
}

void FakeClock::AwaitTimedWaiters(int count) {
  MutexLock lock(&mu_);
  auto come = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return timed_waiters_ >= count;
  };
  mu_.Await(absl::Condition(&Call<decltype(come)>, &come));
}

void Gate::Pass() {
  MutexLock lock(&mu_);
  ++arrivals_;
  auto open = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return open_; };
  mu_.Await(absl::Condition(&Call<decltype(open)>, &open));
}

void Gate::Open() {
  MutexLock lock(&mu_);
  open_ = true;
}

void Gate::AwaitArrivals(int count) {
  MutexLock lock(&mu_);
  auto come = [&]()
                  ABSL_NO_THREAD_SAFETY_ANALYSIS { return arrivals_ >= count; };
  mu_.Await(absl::Condition(&Call<decltype(come)>, &come));
}

std::vector<std::vector<int>> ExplainerLog::Batches() {
  MutexLock lock(&mu);
  return batches;
}

std::set<int> ExplainerLog::Ids() {
  MutexLock lock(&mu);
  std::set<int> ids;
  for (const std::vector<int>& batch : batches) {
    ids.insert(batch.begin(), batch.end());
  }
  return ids;
}

absl::StatusOr<PassAnswers> FakeExplainer::Explain(
    absl::Span<const PassItem* const> items) {
  std::vector<int> ids;
  for (const PassItem* item : items) {
    ids.push_back(static_cast<int>(*item->input.data_ptr<float>()));
  }
  {
    MutexLock lock(&log_.mu);
    log_.batches.push_back(ids);
  }
  if (hook_) RETURN_IF_ERROR(hook_(ids));
  PassAnswers answers;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const int64_t images = items[i]->input.size(0);
    const at::Tensor classes = at::arange(10, at::kFloat);
    PassAnswer answer;
    answer.logits = at::arange(images, at::kFloat).view({-1, 1}) * 10 +
                    classes.view({1, -1});
    VariantAnswer& made = answer.variants.emplace_back();
    for (int64_t row = 0; row < items[i]->rows(); ++row) {
      answer.class_index.push_back(9);
      made.score.push_back(static_cast<float>(ids[i]));
      const std::size_t maps = items[i]->variants.front().attributions.size();
      for (std::size_t s = 0; s < maps; ++s) {
        made.maps.push_back(at::arange(4, at::kFloat).view({2, 2}) +
                            static_cast<double>(ids[i] + s));
      }
    }
    AddStep(*items[i], answer);
    AddOthers(*items[i], answer);
    AddPooled(*items[i], answer);
    answers.items.push_back(std::move(answer));
  }
  return answers;
}

ModelMetadata FakeModel() {
  ModelMetadata model = {.name = "fake", .version = 1, .num_classes = 10};
  model.config.input.height = 8;
  model.config.input.width = 8;
  model.config.default_layers = {"last"};
  for (int i = 0; i < 10; ++i) model.labels.push_back(absl::StrCat("class", i));
  LayerInfo conv = {.name = "conv", .kind = "Conv2d", .shape = {4, 4, 4}};
  conv.conv = ConvGeometry();
  LayerInfo norm = {.name = "norm", .kind = "BatchNorm2d", .shape = {4, 4, 4}};
  norm.batch_norm = BatchNormStatistics();
  model.layers = {{.name = "input", .kind = "input", .shape = {3, 8, 8}},
                  conv,
                  norm,
                  {.name = "last", .kind = "ReLU", .shape = {8, 2, 2}},
                  {.name = "pool", .kind = "AdaptiveAvgPool2d", .shape = {8}}};
  model.head_layers = {"last"};
  model.meta_path = MetaPath::kReference;
  return model;
}

namespace {

ModelVersion VersionOf(const ModelMetadata& metadata) {
  return {.model = metadata.name,
          .version = metadata.version,
          .metadata = std::make_shared<const ModelMetadata>(metadata)};
}

}  // namespace

void ServeModel(Engine& engine, std::shared_ptr<LoadedModel> model) {
  ModelVersion version = VersionOf(MetadataOf(*model));
  engine.models().Publish(std::move(version),
                          engine.StartModel(std::move(model)));
}

void ServeModel(Engine& engine, const ModelMetadata& metadata,
                std::vector<std::unique_ptr<Explainer>> explainers,
                const std::shared_ptr<void>& keep_alive) {
  engine.models().Publish(
      VersionOf(metadata),
      engine.StartModel(metadata, std::move(explainers), keep_alive));
}

std::shared_ptr<ServedModel> NoWorkers() {
  return std::make_shared<ServedModel>(
      std::make_shared<Batcher>(BatchLimits(), Clock::Real()));
}

Job FakeJob(int id, int64_t height, int64_t width) {
  const std::vector<float> values(3 * height * width, static_cast<float>(id));
  TensorInput input = {.shape = {3, height, width}};
  input.data.assign(reinterpret_cast<const char*>(values.data()),
                    values.size() * sizeof(float));
  Job job;
  job.request_id = absl::StrCat("request-", id);
  job.model = "fake";
  job.input = std::move(input);
  job.attributions = {
      {.attribution = *Attribution::Named("norm_grad"), .layers = {"conv"}}};
  job.output.size = OutputSize::kLayer;
  job.output.normalise = false;
  return job;
}

Answers::Answers(int jobs) : missing_(jobs), answered_(jobs), answers_(jobs) {}

JobDone Answers::For(int index) {
  return [this, index](absl::StatusOr<Explanation> answer) {
    MutexLock lock(&mu_);
    answers_[index].push_back(std::move(answer));
    if (answered_[index] == 0) --missing_;
    answered_[index] = 1;
  };
}

void Answers::AwaitAll() {
  MutexLock lock(&mu_);
  auto all = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return missing_ == 0; };
  mu_.Await(absl::Condition(&Call<decltype(all)>, &all));
}

void Answers::Await(int index) {
  MutexLock lock(&mu_);
  const char* flag = &answered_[index];
  auto has_it = [flag]() { return *flag != 0; };
  mu_.Await(absl::Condition(&Call<decltype(has_it)>, &has_it));
}

int Answers::total() const {
  MutexLock lock(&mu_);
  int total = 0;
  for (const auto& answers : answers_)
    total += static_cast<int>(answers.size());
  return total;
}

bool Answers::has(int index) const {
  MutexLock lock(&mu_);
  return answered_[index] != 0;
}

absl::StatusOr<Explanation> Answers::of(int index) const {
  MutexLock lock(&mu_);
  return answers_[index].front();
}

void RecordingObserver::OnBatch(absl::string_view model, int requests,
                                int rows) {
  Note(absl::StrCat("batch ", model, " ", requests, " ", rows));
}
void RecordingObserver::OnExpired(absl::string_view stage) {
  Note(absl::StrCat("expired ", stage));
}
void RecordingObserver::OnCancelled(absl::string_view stage) {
  Note(absl::StrCat("cancelled ", stage));
}
void RecordingObserver::OnOutOfMemory(absl::string_view outcome) {
  Note(absl::StrCat("out of memory ", outcome));
}
void RecordingObserver::OnDeviceLost(absl::string_view device) {
  Note(absl::StrCat("device lost ", device));
}
void RecordingObserver::OnFault(absl::string_view request_id,
                                absl::string_view detail) {
  Note(absl::StrCat("fault ", request_id, ": ", detail));
}

std::vector<std::string> RecordingObserver::lines() const {
  MutexLock lock(&mu_);
  return lines_;
}

void RecordingObserver::Note(std::string line) {
  MutexLock lock(&mu_);
  lines_.push_back(std::move(line));
}

}  // namespace saliency
