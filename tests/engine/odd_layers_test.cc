// Layers that a pass does not come by, and layers that no gradient reaches: the
// rest of the job is answered as if they had not been asked for.

#include <ATen/ATen.h>
#include <torch/script.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

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
    engine_.AddModel(std::move(model));
  }

  // One picture for each of `levels`, which is added to noise.
  static Job JobOf(const std::vector<float>& levels) {
    Job job;
    TensorInput input = {
        .shape = {static_cast<int64_t>(levels.size()), 3, 8, 8}};
    at::Tensor pictures = at::randn(input.shape) * 0.1;
    for (size_t i = 0; i < levels.size(); ++i) {
      pictures[static_cast<int64_t>(i)] += levels[i];
    }
    input.data.assign(static_cast<const char*>(pictures.data_ptr()),
                      pictures.numel() * sizeof(float));
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

TEST_F(OddLayersTest, AMapFailsAloneWhereItsPictureDoesNotComeByTheLayer) {
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
                 << result.layer << " of picture " << result.picture);
    const std::string other = result.picture == 0 ? "dark" : "bright";
    if (result.layer != other) {
      EXPECT_TRUE(result.status.ok()) << result.status;
      EXPECT_FALSE(result.constant);
      continue;
    }
    EXPECT_EQ(result.status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(
        result.status.message(),
        "the pass of this picture does not come by layer \"" + other + "\"");
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

}  // namespace
}  // namespace saliency
