// The engine over a real TorchScript model: what is shared between requests,
// targets, methods and layers gives what each alone gives.

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "core/attribution/registry.h"
#include "core/engine/engine.h"
#include "core/engine/plan/prepare.h"
#include "core/engine/run/pass_explainer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/tiny_resnet.h"
#include "tests/support/fakes.h"

namespace saliency::engine_model_test {
namespace {

// Convolutions of other batch sizes take other summation orders, and the
// network is ten layers deep: rounding grows to about 1e-5 of the maximum.
constexpr float kTolerance = 1e-4F;

const std::vector<std::string> kLayers = {"layer1", "layer3", "layer4"};
const std::vector<std::string> kMethods = {"norm_grad", "gradient",
                                           "linear_approximation", "grad_cam"};

JobAttribution At(absl::string_view method, std::vector<std::string> layers) {
  return {.attribution = *Attribution::Named(method),
          .layers = std::move(layers)};
}

Job RawJob(TensorInput input, std::vector<JobTarget> targets,
           std::vector<JobAttribution> attributions) {
  Job job;
  job.input = std::move(input);
  job.targets = std::move(targets);
  job.attributions = std::move(attributions);
  job.output.size = OutputSize::kLayer;
  job.output.normalise = false;
  return job;
}

std::vector<float> Floats(const std::string& bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

void ExpectClose(const MapResult& actual, const MapResult& expected) {
  ASSERT_TRUE(actual.status.ok()) << actual.status;
  ASSERT_TRUE(expected.status.ok()) << expected.status;
  EXPECT_EQ(actual.method, expected.method);
  EXPECT_EQ(actual.layer, expected.layer);
  EXPECT_EQ(actual.explained.index, expected.explained.index);
  const std::vector<float> a = Floats(actual.data);
  const std::vector<float> b = Floats(expected.data);
  ASSERT_EQ(a.size(), b.size());
  float largest = 0;
  for (const float value : b) largest = std::max(largest, std::fabs(value));
  for (std::size_t i = 0; i < a.size(); ++i) {
    ASSERT_NEAR(a[i], b[i], kTolerance * largest)
        << actual.method << " at " << actual.layer << ", first at " << i;
  }
}

class EngineModelTest : public testing::Test {
 protected:
  EngineModelTest() : engine_({}, Clock::Real(), observer_) {
    ServeModel(engine_, LoadTinyResnet());
  }

  absl::StatusOr<Explanation> Explain(Job job) {
    Answers answers(1);
    engine_.Submit(std::move(job), answers.For(0));
    answers.AwaitAll();
    return answers.of(0);
  }

  RecordingObserver observer_;
  Engine engine_;
};

TEST_F(EngineModelTest, ThreeTargetsFourMethodsThreeLayersAreAs36Requests) {
  const std::vector<JobTarget> targets = {RankFromTop{}, ClassIndex{3},
                                          RankFromBottom{}};
  std::vector<JobAttribution> attributions;
  for (const std::string& method : kMethods) {
    attributions.push_back(At(method, kLayers));
  }
  const Explanation all =
      Explain(RawJob(RandomTensor(1), targets, attributions)).value();
  ASSERT_EQ(all.results.size(), 36);
  EXPECT_EQ(all.batch_requests, 1);
  EXPECT_EQ(all.batch_rows, 3);
  std::size_t index = 0;
  for (const JobTarget& target : targets) {
    for (const std::string& method : kMethods) {
      for (const std::string& layer : kLayers) {
        SCOPED_TRACE(index);
        const Explanation one =
            Explain(RawJob(RandomTensor(1), {target}, {At(method, {layer})}))
                .value();
        ExpectClose(all.results[index], one.results[0]);
        ++index;
      }
    }
  }
}

TEST_F(EngineModelTest, RowsOfOneTensorAreAsSingles) {
  const Explanation all =
      Explain(RawJob(RandomTensor(2, 5), {}, {At("norm_grad", kLayers)}))
          .value();
  ASSERT_EQ(all.images.size(), 5);
  const TensorInput input = RandomTensor(2, 5);
  const std::size_t bytes = input.data.size() / 5;
  for (std::size_t image = 0; image < 5; ++image) {
    SCOPED_TRACE(image);
    const TensorInput single = {
        .shape = {3, kTinyHeight, kTinyWidth},
        .data = input.data.substr(image * bytes, bytes)};
    const Explanation one =
        Explain(RawJob(single, {}, {At("norm_grad", kLayers)})).value();
    for (std::size_t layer = 0; layer < kLayers.size(); ++layer) {
      ExpectClose(all.results[image * kLayers.size() + layer],
                  one.results[layer]);
    }
    EXPECT_EQ(all.images[image].top[0].index, one.images[0].top[0].index);
    EXPECT_NEAR(all.images[image].top[0].logit, one.images[0].top[0].logit,
                1e-4);
  }
}

// A job of its own kind: other method, layers, target.
Job Varied(int i) {
  std::vector<std::string> layers = {kLayers[i % 3]};
  if (i % 4 == 0) layers.push_back(kLayers[(i + 1) % 3]);
  std::vector<JobTarget> targets = {ClassIndex{i % 10}};
  if (i % 5 == 0) targets.emplace_back(RankFromBottom{1});
  return RawJob(RandomTensor(100 + i), targets,
                {At(kMethods[i % kMethods.size()], layers)});
}

TEST_F(EngineModelTest, SixteenDifferentRequestsInOneBatchAreAsSingles) {
  std::shared_ptr<LoadedModel> model = LoadTinyResnet();
  model->config.batching.max_rows = 64;
  const ModelMetadata metadata = MetadataOf(*model);
  std::vector<PreparedJob> prepared;
  for (int i = 0; i < 16; ++i) {
    prepared.push_back(PrepareJob(Varied(i), metadata, {}).value());
  }
  std::vector<const PassItem*> items;
  for (const PreparedJob& job : prepared) items.push_back(&job.item);
  PassExplainer explainer(*model->replicas[0], {.max_rows = 64});
  const PassAnswers batch = explainer.Explain(items).value();
  for (int i = 0; i < 16; ++i) {
    SCOPED_TRACE(i);
    const PassItem* single = items[i];
    const PassAnswers alone =
        explainer.Explain(absl::MakeConstSpan(&single, 1)).value();
    EXPECT_EQ(batch.items[i].class_index, alone.items[0].class_index);
    const VariantAnswer& a = batch.items[i].variants.front();
    const VariantAnswer& b = alone.items[0].variants.front();
    ASSERT_EQ(a.maps.size(), b.maps.size());
    for (std::size_t m = 0; m < a.maps.size(); ++m) {
      const float largest = b.maps[m].value().abs().max().item<float>();
      EXPECT_LE((*a.maps[m] - *b.maps[m]).abs().max().item<float>(),
                kTolerance * largest)
          << "map " << m;
    }
  }
}

TEST_F(EngineModelTest, ChunksOfRowsAreAsOnePass) {
  const std::shared_ptr<LoadedModel> model = LoadTinyResnet();
  const ModelMetadata metadata = MetadataOf(*model);
  const PreparedJob job =
      PrepareJob(RawJob(RandomTensor(7, 3),
                        {ClassIndex{0}, ClassIndex{5}, RankFromTop{}},
                        {At("norm_grad", kLayers), At("grad_cam", kLayers)}),
                 metadata, {})
          .value();
  const PassItem* item = &job.item;
  PassExplainer whole(*model->replicas[0], {.max_rows = 64});
  const PassAnswer expected =
      whole.Explain(absl::MakeConstSpan(&item, 1)).value().items[0];
  for (const int64_t max_rows : {1, 2, 4, 5}) {
    SCOPED_TRACE(max_rows);
    PassExplainer pieces(*model->replicas[0], {.max_rows = max_rows});
    const PassAnswer actual =
        pieces.Explain(absl::MakeConstSpan(&item, 1)).value().items[0];
    EXPECT_EQ(actual.class_index, expected.class_index);
    EXPECT_TRUE(at::allclose(actual.logits, expected.logits, 1e-4, 1e-4));
    const VariantAnswer& got = actual.variants.front();
    const VariantAnswer& want = expected.variants.front();
    for (std::size_t m = 0; m < want.maps.size(); ++m) {
      const float largest = want.maps[m]->abs().max().item<float>();
      EXPECT_LE((*got.maps[m] - *want.maps[m]).abs().max().item<float>(),
                kTolerance * largest)
          << "map " << m;
    }
  }
}

TEST_F(EngineModelTest, EveryMethodThatAppliesGivesAMap) {
  const std::shared_ptr<const ModelMetadata> metadata =
      engine_.models().FindReady("", 0).value()->metadata;
  const auto conv = std::find_if(
      metadata->layers.begin(), metadata->layers.end(),
      [](const LayerInfo& layer) { return layer.conv.has_value(); });
  const auto norm = std::find_if(
      metadata->layers.begin(), metadata->layers.end(),
      [](const LayerInfo& layer) { return layer.batch_norm.has_value(); });
  ASSERT_NE(conv, metadata->layers.end());
  ASSERT_NE(norm, metadata->layers.end());
  ASSERT_FALSE(metadata->head_layers.empty());
  std::vector<JobAttribution> attributions;
  for (const Method* method : AllMethods()) {
    std::string layer = "layer3";
    if (method->method_inputs == MethodInputs::kRealConv) layer = conv->name;
    if (method->method_inputs == MethodInputs::kRealBatchNorm)
      layer = norm->name;
    if (method->method_inputs == MethodInputs::kActivationAndHead) {
      layer = metadata->head_layers[0];
    }
    attributions.push_back(At(method->name, {layer}));
  }
  const Explanation answer =
      Explain(RawJob(RandomTensor(3), {}, attributions)).value();
  for (const MapResult& result : answer.results) {
    EXPECT_TRUE(result.status.ok()) << result.method << ": " << result.status;
    EXPECT_GT(result.raw_max, result.raw_min) << result.method;
  }
}

// Before global average pooling grad_cam = (cam)+ / (H W).
TEST_F(EngineModelTest, GradCamAtTheHeadIsThePositivePartOfCam) {
  const std::string layer =
      engine_.models().FindReady("", 0).value()->metadata->head_layers[0];
  const Explanation answer =
      Explain(RawJob(RandomTensor(4), {ClassIndex{2}, ClassIndex{7}},
                     {At("cam", {layer}), At("grad_cam", {layer})}))
          .value();
  for (const std::size_t target : {0, 1}) {
    const std::vector<float> cam = Floats(answer.results[2 * target].data);
    const std::vector<float> grad = Floats(answer.results[2 * target + 1].data);
    ASSERT_EQ(cam.size(), grad.size());
    const auto area = static_cast<float>(cam.size());
    for (std::size_t i = 0; i < cam.size(); ++i) {
      EXPECT_NEAR(grad[i], std::max(cam[i], 0.0F) / area, 1e-5) << i;
    }
  }
}

TEST_F(EngineModelTest, ACancelledItemStopsBetweenChunks) {
  const std::shared_ptr<LoadedModel> model = LoadTinyResnet();
  PreparedJob job =
      PrepareJob(RawJob(RandomTensor(7), {}, {At("norm_grad", kLayers)}),
                 MetadataOf(*model), {})
          .value();
  const auto cancel = std::make_shared<CancelToken>();
  cancel->Cancel();
  job.item.cancel = cancel;
  const PassItem* item = &job.item;
  PassExplainer explainer(*model->replicas[0], {});
  EXPECT_EQ(explainer.Explain(absl::MakeConstSpan(&item, 1)).status().code(),
            absl::StatusCode::kCancelled);
}

TEST_F(EngineModelTest, AModelThatCannotRunAnInputSaysSo) {
  Job job = RawJob({.shape = {3, 1, 1}, .data = std::string(12, '\0')}, {},
                   {At("norm_grad", {"layer4"})});
  const absl::StatusOr<Explanation> answer = Explain(std::move(job));
  // A 1 x 1 image may pass through or not; never is it our bug.
  EXPECT_NE(answer.status().code(), absl::StatusCode::kInternal)
      << answer.status();
}

// Whatever shares the pass, features are what the layers give.
TEST_F(EngineModelTest, PooledFeaturesAreTheLayersMeansBesideStrangers) {
  const std::shared_ptr<LoadedModel> model = LoadTinyResnet();
  const ModelMetadata metadata = MetadataOf(*model);
  const std::vector<std::string> layers = {"layer1", "layer4", "input"};
  Job pooled = RawJob(RandomTensor(8, 2), {}, {});
  pooled.pooled_layers = layers;
  const PreparedJob a = PrepareJob(pooled, metadata, {}).value();
  const PreparedJob b =
      PrepareJob(RawJob(RandomTensor(9), {ClassIndex{1}, ClassIndex{2}},
                        {At("norm_grad", kLayers)}),
                 metadata, {})
          .value();
  std::vector<Probe> probes;
  for (const std::string& layer : layers) probes.push_back({.layer = layer});
  const ProbeResult direct =
      model->replicas[0]
          ->Run({.input = a.item.input,
                 .rows = {{.image = 0}, {.image = 1}},
                 .probes = probes,
                 .activation_only = std::vector<bool>(probes.size(), true)})
          .value();
  const auto expect_means = [&](const PassAnswer& answer) {
    ASSERT_EQ(answer.pooled.size(), 2 * layers.size());
    for (std::size_t p = 0; p < 2; ++p) {
      for (std::size_t l = 0; l < layers.size(); ++l) {
        EXPECT_TRUE(at::allclose(
            answer.pooled[p * layers.size() + l],
            direct.records[l].activation[static_cast<int64_t>(p)].mean({1, 2}),
            1e-4, 1e-5))
            << "image " << p << " at " << layers[l];
      }
    }
  };
  PassExplainer explainer(*model->replicas[0], {.max_rows = 16});
  const PassItem* alone = &a.item;
  const PassAnswers own =
      explainer.Explain(absl::MakeConstSpan(&alone, 1)).value();
  expect_means(own.items[0]);
  const std::vector<const PassItem*> both = {&b.item, &a.item};
  const PassAnswers shared = explainer.Explain(both).value();
  expect_means(shared.items[1]);
  EXPECT_TRUE(shared.items[0].pooled.empty());
  PassExplainer pieces(*model->replicas[0], {.max_rows = 1});
  expect_means(pieces.Explain(both).value().items[1]);
}

TEST_F(EngineModelTest, APooledJobAnswersImageByImage) {
  Job job = RawJob(RandomTensor(8, 2), {}, {});
  job.pooled_layers = {"layer1", "layer4"};
  const Explanation answer = Explain(std::move(job)).value();
  ASSERT_EQ(answer.images.size(), 2);
  const auto metadata = engine_.models().FindReady("", 0).value()->metadata;
  std::size_t channels = 0;
  for (const LayerInfo& layer : metadata->layers) {
    if (layer.name == "layer1" || layer.name == "layer4") {
      channels += layer.shape[0];
    }
  }
  EXPECT_EQ(answer.images[0].pooled.size(), channels);
  EXPECT_NE(answer.images[0].pooled, answer.images[1].pooled);
  EXPECT_TRUE(answer.results.empty());
}

}  // namespace
}  // namespace saliency::engine_model_test
