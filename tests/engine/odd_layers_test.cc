// Layers that a pass does not come by, and layers that no gradient reaches: the
// rest of the job is answered as if they had not been asked for.

#include <ATen/ATen.h>
#include <torch/script.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/attribution/registry.h"
#include "core/engine/engine.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fakes.h"
#include "tests/support/tiny_models.h"

namespace saliency {
namespace {

using testing::HasSubstr;

class OddLayersTest : public testing::Test {
 protected:
  OddLayersTest() : engine_({}, Clock::Real(), observer_) {}

  void Serve(const TinyModule& tiny) {
    const ModelFile file(tiny);
    LoadOptions options;
    options.input_height = options.input_width = 8;
    auto model = std::make_shared<LoadedModel>();
    model->name = "net";
    model->version = 1;
    model->config.input.height = model->config.input.width = 8;
    model->config.default_layers = {"input"};
    model->replicas.push_back(ProbedModel::Load(file.path(), options).value());
    ServeModel(engine_, std::move(model));
  }

  // One image for each of `levels`, which is added to noise.
  static Job JobOf(const std::vector<float>& levels) {
    Job job;
    TensorInput input = {
        .shape = {static_cast<int64_t>(levels.size()), 3, 8, 8}};
    at::Tensor images = at::randn(input.shape) * 0.1;
    for (size_t i = 0; i < levels.size(); ++i) {
      images[static_cast<int64_t>(i)] += levels[i];
    }
    input.data.assign(static_cast<const char*>(images.data_ptr()),
                      images.numel() * sizeof(float));
    job.input = std::move(input);
    job.targets = {ClassIndex{1}};
    job.output.size = OutputSize::kModelInput;
    return job;
  }

  Explanation Explain(Job job) {
    Answers answers(1);
    engine_.Submit(std::move(job), answers.For(0));
    answers.AwaitAll();
    return answers.of(0).value();
  }

  RecordingObserver observer_;
  Engine engine_;
};

TEST_F(OddLayersTest, AMapFailsAloneWhereItsImageDoesNotComeByTheLayer) {
  Serve(Net({{"bright", Conv(3, 3)}, {"dark", Conv(3, 3)}, {"end", Conv(3, 3)}},
            R"(if bool(torch.mean(x) > 0.):
                 x = self.bright.forward(x)
               else:
                 x = self.dark.forward(x)
               return torch.mean(torch.tanh(self.end.forward(x)), [2, 3]))"));
  Job job = JobOf({1, -1});
  job.attributions = {
      {*Attribution::Named("norm_grad"), {"bright", "dark", "end"}},
      {*Attribution::Named("norm_grad_real_conv"), {"dark"}}};
  JobCombination both = {.attribution = *Attribution::Named("norm_grad"),
                         .layers = {"dark", "end"}};
  job.combinations = {both};
  const Explanation explanation = Explain(std::move(job));
  ASSERT_EQ(explanation.results.size(), 8);
  for (const MapResult& result : explanation.results) {
    SCOPED_TRACE(testing::Message()
                 << result.layer << " of image " << result.image);
    const std::string other = result.image == 0 ? "dark" : "bright";
    if (result.layer != other) {
      EXPECT_TRUE(result.status.ok()) << result.status;
      EXPECT_FALSE(result.constant);
      continue;
    }
    EXPECT_EQ(result.status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(
        result.status.message(),
        "the pass of this image does not come by layer \"" + other + "\"");
  }
  EXPECT_FALSE(explanation.combined.at(0).map.status.ok());
  EXPECT_TRUE(explanation.combined.at(1).map.status.ok());
}

TEST_F(OddLayersTest, FeaturesOfALayerThatIsNotComeByFailTheJob) {
  Serve(Net({{"bright", Conv(3, 3)}},
            R"(if bool(torch.mean(x) > 0.):
                 x = self.bright.forward(x)
               return torch.mean(torch.tanh(x), [2, 3]))"));
  Job job = JobOf({-1});
  job.pooled_layers = {"bright"};
  Answers answers(1);
  engine_.Submit(std::move(job), answers.For(0));
  answers.AwaitAll();
  EXPECT_EQ(answers.of(0).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(OddLayersTest, AMapWithoutAGradientSaysWhy) {
  Serve(Net({{"a", Conv(3, 3)}, {"b", Conv(3, 3)}, {"fc", Linear(3, 4)}},
            R"(x = torch.tanh(self.a.forward(x)).detach()
               x = torch.tanh(self.b.forward(x))
               return self.fc.forward(torch.mean(x, [2, 3])))"));
  Job job = JobOf({0, 1});
  job.attributions = {{*Attribution::Named("norm_grad"), {"a", "b"}}};
  job.combinations = {
      {.attribution = *Attribution::Named("norm_grad"), .layers = {"a", "b"}}};
  const Explanation explanation = Explain(std::move(job));
  for (const MapResult& result : explanation.results) {
    ASSERT_TRUE(result.status.ok()) << result.status;
    EXPECT_EQ(result.constant, result.layer == "a");
    if (result.layer == "a") {
      EXPECT_EQ(result.warning,
                "no gradient reaches layer \"a\": behind it the model uses "
                "detach or no_grad, where gradients end");
    } else {
      EXPECT_EQ(result.warning, "");
    }
  }
  for (const CombinedResult& combined : explanation.combined) {
    ASSERT_EQ(combined.shares.size(), 2);
    EXPECT_TRUE(combined.shares[0].constant);
    EXPECT_THAT(combined.shares[0].warning, HasSubstr("no gradient reaches"));
    EXPECT_EQ(combined.shares[1].warning, "");
    EXPECT_EQ(combined.shares[1].weight, 1);
  }
}

TEST_F(OddLayersTest, AProductWithAMapWithoutAGradientSaysWhy) {
  Serve(Net({{"a", Conv(3, 3)}, {"b", Conv(3, 3)}, {"fc", Linear(3, 4)}},
            R"(x = torch.relu(self.a.forward(x)).detach()
               x = torch.relu(self.b.forward(x))
               return self.fc.forward(torch.mean(x, [2, 3])))"));
  Job job = JobOf({0});
  job.attributions = {{*Attribution::Named("guided_grad_cam"), {"b"}}};
  const MapResult product = Explain(std::move(job)).results.at(0);
  ASSERT_TRUE(product.status.ok()) << product.status;
  EXPECT_TRUE(product.constant);
  EXPECT_THAT(product.warning,
              HasSubstr("no gradient reaches layer \"input\""));
}

TEST_F(OddLayersTest, WarningsOfSteppedAndPlainMapsAreTheSame) {
  Serve(Net({{"a", Conv(3, 3)}, {"b", Conv(3, 3)}},
            R"(x = torch.sign(self.a.forward(x))
               return torch.mean(torch.tanh(self.b.forward(x)), [2, 3]))"));
  Job job = JobOf({0});
  job.attributions = {{*Attribution::Named("gradient"), {"a", "b"}}};
  job.meta = JobMetaStep{};
  job.plain_maps = true;
  const Explanation explanation = Explain(std::move(job));
  for (const auto* results :
       {&explanation.results, &explanation.plain_results}) {
    ASSERT_EQ(results->size(), 2);
    EXPECT_THAT(results->at(0).warning, HasSubstr("sign"));
    EXPECT_EQ(results->at(1).warning, "");
  }
}

// Windows of eight, as rows of a batch: one of them at the model's own size.
TinyModule WindowNet() {
  return Net({{"stem", Conv(3, 4)}, {"conv", Conv(4, 6)}, {"fc", Linear(6, 5)}},
             R"(x = torch.relu(self.stem.forward(x))
                n = x.size(0)
                a = x.size(2) // 8
                b = x.size(3) // 8
                x = x.view([n, 4, a, 8, b, 8]).permute([0, 2, 4, 1, 3, 5])
                x = torch.relu(self.conv.forward(x.reshape([-1, 4, 8, 8])))
                y = torch.mean(x, [2, 3]).view([n, a * b, 6])
                return self.fc.forward(torch.mean(y, [1])))");
}

TEST_F(OddLayersTest, AMapFailsAloneWhereALayerFoldsItsImageIntoTheBatch) {
  Serve(WindowNet());
  Job job = JobOf({1, -1});
  job.attributions = {{*Attribution::Named("norm_grad"), {"stem", "conv"}}};
  Job large = JobOf({1, -1});
  const at::Tensor images = at::randn({2, 3, 16, 16});
  TensorInput input = {.shape = {2, 3, 16, 16}};
  input.data.assign(static_cast<const char*>(images.data_ptr()),
                    images.numel() * sizeof(float));
  large.input = std::move(input);
  large.attributions = job.attributions;
  for (const MapResult& result : Explain(std::move(job)).results) {
    EXPECT_TRUE(result.status.ok()) << result.status;
  }
  for (const MapResult& result : Explain(std::move(large)).results) {
    EXPECT_EQ(result.status.ok(), result.layer == "stem") << result.status;
    if (result.status.ok()) continue;
    EXPECT_EQ(result.status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(result.status.message()),
                HasSubstr("layer \"conv\" has shape [8,6,8,8]"));
  }
}

TEST_F(OddLayersTest, AFoldedLayerIsRefusedByNameWithItsReason) {
  Serve(Net({{"stem", Conv(3, 4)}, {"conv", Conv(4, 5)}},
            R"(x = torch.relu(self.stem.forward(x))
               x = self.conv.forward(torch.cat([x, torch.flip(x, [3])], 0))
               y = torch.mean(torch.tanh(x), [2, 3])
               n = y.size(0) // 2
               return y[:n] + y[n:])"));
  Job job = JobOf({1});
  job.attributions = {{*Attribution::Named("norm_grad"), {"conv", "stem"}}};
  const Explanation explanation = Explain(std::move(job));
  ASSERT_EQ(explanation.results.size(), 2);
  EXPECT_EQ(explanation.results[0].status.code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(explanation.results[0].status.message()),
              HasSubstr("there are no maps of layer \"conv\": it has 2 entries "
                        "for 1 image"));
  EXPECT_TRUE(explanation.results[1].status.ok());
}

// [n,h,w,k] inside: every method sees [n,k,h,w].
TEST_F(OddLayersTest, EveryMethodWorksWhereChannelsAreLast) {
  Serve(Net({{"stem", Conv(3, 6, {.stride = {2, 2}})},
             {"mixed", Linear(6, 7)},
             {"fc", Linear(7, 5)}},
            R"(x = self.stem.forward(x).permute([0, 2, 3, 1])
               x = torch.tanh(self.mixed.forward(x))
               return self.fc.forward(torch.mean(x, [1, 2])))"));
  Job job = JobOf({1, -1});
  job.output.size = OutputSize::kLayer;
  int methods = 0;
  for (const Method* method : AllMethods()) {
    // Rules of their own may not be defined for this network.
    if (!method->rule.is_gradient() || method->input_factor != nullptr)
      continue;
    if (method->method_inputs != MethodInputs::kActivationAndGradient) continue;
    job.attributions.push_back({*Attribution::Named(method->name), {"mixed"}});
    ++methods;
  }
  const Explanation explanation = Explain(std::move(job));
  ASSERT_EQ(explanation.results.size(), 2 * methods);
  for (const MapResult& result : explanation.results) {
    ASSERT_TRUE(result.status.ok()) << result.method << result.status;
    EXPECT_EQ(result.height, 4) << result.method;
    EXPECT_EQ(result.width, 4) << result.method;
  }
}

}  // namespace
}  // namespace saliency
