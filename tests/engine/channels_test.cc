// Models whose input is not of three channels: luminance of one, tensors alone
// of any other number.

#include <ATen/ATen.h>
#include <torch/script.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/engine/engine.h"
#include "core/image/preprocess.h"
#include "core/image/render.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/job_parts.h"
#include "tests/support/fakes.h"
#include "tests/support/tiny_models.h"

namespace saliency::channels_test {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kSide = 12;

class ChannelsFixture : public testing::Test {
 protected:
  void Serve(int channels) {
    const TinyModule net =
        Net({{"first", Conv(channels, 6)}, {"last", Conv(6, 4)}},
            R"(x = torch.relu(self.first.forward(x))
               return torch.mean(self.last.forward(x), [2, 3]))");
    file_ = std::make_unique<ModelFile>(net);
    model_ = std::make_shared<LoadedModel>();
    model_->name = "net";
    model_->version = 1;
    InputConfig& input = model_->config.input;
    input.height = input.width = kSide;
    input.SetChannels(channels);
    input.mean.assign(channels, 0.4F);
    input.std.assign(channels, 0.25F);
    model_->config.default_layers = {"first"};
    model_->replicas.push_back(
        ProbedModel::Load(file_->path(), LoadOptionsOf(model_->config))
            .value());
    engine_ =
        std::make_unique<Engine>(Engine::Options(), Clock::Real(), observer_);
    ServeModel(*engine_, model_);
  }

  absl::StatusOr<Explanation> Explain(Job job) {
    Answers answers(1);
    engine_->Submit(std::move(job), answers.For(0));
    answers.AwaitAll();
    return answers.of(0);
  }

  static Job JobOf(JobInput input, std::vector<JobAttribution> attributions) {
    Job job;
    job.input = std::move(input);
    job.targets = {ClassIndex{2}};
    job.attributions = std::move(attributions);
    job.output.size = OutputSize::kModelInput;
    job.output.normalise = false;
    return job;
  }

  static TensorInput TensorOf(const at::Tensor& image) {
    const at::Tensor values = image.contiguous();
    return {.shape = values.sizes().vec(),
            .data = std::string(static_cast<const char*>(values.data_ptr()),
                                values.numel() * sizeof(float))};
  }

  static at::Tensor MapOf(const MapResult& result) {
    EXPECT_TRUE(result.status.ok()) << result.method << ": " << result.status;
    return at::from_blob(const_cast<char*>(result.data.data()),
                         {result.height, result.width}, at::kFloat)
        .clone();
  }

  std::unique_ptr<ModelFile> file_;
  std::shared_ptr<LoadedModel> model_;
  RecordingObserver observer_;
  std::unique_ptr<Engine> engine_;
};

class ChannelsTest : public ChannelsFixture,
                     public testing::WithParamInterface<int> {
 protected:
  ChannelsTest() { Serve(GetParam()); }
};

TEST_P(ChannelsTest, TheGradientAtTheInputIsAutograds) {
  const at::Tensor image = at::randn({GetParam(), kSide, kSide});
  const Explanation answer =
      Explain(JobOf(TensorOf(image), {At("gradient", {"input"})})).value();
  torch::jit::Module module = torch::jit::load(file_->path());
  const at::Tensor x = image.unsqueeze(0).detach().clone().requires_grad_(true);
  module.forward({x}).toTensor()[0][2].backward();
  const at::Tensor expected = std::get<0>(x.grad()[0].abs().max(0));
  EXPECT_TRUE(MapOf(answer.results[0]).allclose(expected, 1e-4, 1e-6));
}

TEST_P(ChannelsTest, EveryKindOfMethodAnswers) {
  std::vector<JobAttribution> attributions;
  for (const char* method :
       {"norm_grad", "lrp_epsilon", "deconvnet", "score_cam"}) {
    attributions.push_back(At(method, {"first"}));
  }
  for (const char* method :
       {"lrp_composite", "deep_lift", "smooth_grad", "integrated_gradients"}) {
    attributions.push_back(At(method, {"input"}));
  }
  for (const Sampling& sampling : std::vector<Sampling>{
           Occlusion{.patch_size = 4}, Rise{.masks = 20, .cells = 3},
           Lime{.samples = 20, .segments = 4},
           KernelShap{.samples = 20, .segments = 4}}) {
    attributions.push_back({*Attribution::Perturbed(sampling), {"input"}});
  }
  Job job =
      JobOf(TensorOf(at::randn({GetParam(), kSide, kSide})), attributions);
  const Explanation answer = Explain(job).value();
  ASSERT_EQ(answer.results.size(), attributions.size());
  for (const MapResult& result : answer.results) {
    const at::Tensor map = MapOf(result);
    EXPECT_TRUE(map.isfinite().all().item<bool>()) << result.method;
    EXPECT_GT(result.raw_max, result.raw_min) << result.method;
  }
  job.attributions = {At("norm_grad", {"first"})};
  job.meta = JobMetaStep{.epsilon = 1e-3};
  MapOf(Explain(job).value().results[0]);
}

TEST_P(ChannelsTest, ATensorOfOtherChannelsIsRefused) {
  const int other = GetParam() + 1;
  const absl::Status status =
      Explain(JobOf(TensorOf(at::randn({other, kSide, kSide})),
                    {At("norm_grad", {"first"})}))
          .status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr(absl::StrCat("is not [", GetParam(), ",H,W] or [N,",
                                     GetParam(), ",H,W]")));
}

INSTANTIATE_TEST_SUITE_P(Counts, ChannelsTest, testing::Values(1, 2, 4, 7));

TEST_F(ChannelsFixture, AnImageBecomesItsLuminance) {
  Serve(1);
  Image image = {.height = kSide, .width = kSide};
  for (int i = 0; i < kSide * kSide; ++i) {
    for (const int step : {7, 11, 29}) {
      image.rgb.push_back(static_cast<uint8_t>(i * step));
    }
  }
  const std::vector<float> values =
      Preprocess(image, model_->config.input).value().chw;
  const at::Tensor rgb = at::tensor(image.rgb).view({kSide, kSide, 3});
  const at::Tensor luma =
      rgb.to(at::kFloat).matmul(at::tensor({0.299F, 0.587F, 0.114F}));
  const at::Tensor expected = (luma / 255 - 0.4) / 0.25;
  const at::Tensor actual = at::tensor(values).view({kSide, kSide});
  EXPECT_LE((actual - expected).abs().max().item<double>(), 1 / 255.0 / 0.25);
  const std::vector<JobAttribution> wanted = {
      At("gradient", {"input"}), At("integrated_gradients", {"input"})};
  const Explanation of_image =
      Explain(JobOf(EncodedImage{*EncodePng(image)}, wanted)).value();
  const Explanation of_tensor =
      Explain(JobOf(TensorOf(actual.unsqueeze(0)), wanted)).value();
  for (const int i : {0, 1}) {
    EXPECT_TRUE(MapOf(of_image.results[i])
                    .allclose(MapOf(of_tensor.results[i]), 1e-5, 1e-7));
  }
}

TEST_F(ChannelsFixture, NoImageBecomesFiveChannels) {
  Serve(5);
  const Image image = {
      .height = 2, .width = 2, .rgb = {9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9}};
  const absl::Status status = Explain(JobOf(EncodedImage{*EncodePng(image)},
                                            {At("norm_grad", {"first"})}))
                                  .status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("input.image: the model's input has 5 channels, which "
                        "no image gives; input.tensor does"));
}

}  // namespace
}  // namespace saliency::channels_test
