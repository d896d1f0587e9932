// What an answer says of classes and probabilities, over models whose outputs
// are logits, probabilities of their own, one number or plain values.

#include <torch/torch.h>

#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/engine/engine.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fakes.h"
#include "tests/support/tiny_models.h"

namespace saliency::engine_output_test {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

class EngineOutputTest : public testing::Test {
 protected:
  EngineOutputTest() : engine_({}, Clock::Real(), observer_) {}

  // Serves, as `name`, what returns `result` of z [N,3] and o [N,1].
  void Serve(const std::string& name, const std::string& result,
             OutputActivation activation = OutputActivation::kDefault,
             std::vector<std::string> labels = {}) {
    torch::manual_seed(20200616);
    const ModelFile file(
        Net({{"conv", Conv(3, 4)},
             {"relu", Relu()},
             {"fc", Linear(4, 3)},
             {"one", Linear(4, 1)}},
            "y = torch.mean(self.relu.forward(self.conv.forward(x)), [2, 3])\n"
            "z = self.fc.forward(y) * 2.\n"
            "o = self.one.forward(y) - 2.\n"
            "return " +
                result));
    LoadOptions options = {.activation = activation};
    options.output_class = labels.size() == 2 ? 1 : 0;
    options.input_height = options.input_width = 8;
    auto loaded = std::make_shared<LoadedModel>();
    loaded->name = name;
    loaded->version = 1;
    loaded->config.input.height = loaded->config.input.width = 8;
    loaded->config.default_layers = {"relu"};
    loaded->labels = std::move(labels);
    loaded->replicas.push_back(ProbedModel::Load(file.path(), options).value());
    ServeModel(engine_, std::move(loaded));
  }

  absl::StatusOr<Explanation> Ask(const std::string& model,
                                  std::vector<JobTarget> targets = {},
                                  Score score = Score::kLogit) {
    Job job = FakeJob(1);
    job.model = model;
    job.targets = std::move(targets);
    job.score = score;
    job.attributions[0].layers = {};
    return Submit(std::move(job));
  }

  absl::StatusOr<Explanation> Submit(Job job) {
    Answers answers(1);
    engine_.Submit(std::move(job), answers.For(0));
    answers.AwaitAll();
    return answers.of(0);
  }

  RecordingObserver observer_;
  Engine engine_;
};

const std::vector<JobTarget> kBoth = {ClassIndex{0}, ClassIndex{1}};

TEST_F(EngineOutputTest, ProbabilitiesOfAllModelsThatSayTheSameAreTheSame) {
  Serve("logits", "z");
  const std::vector<ClassScore> expected = Ask("logits").value().images[0].top;
  ASSERT_THAT(expected, SizeIs(3));
  for (const char* result :
       {"torch.softmax(z, 1)", "torch.log_softmax(z, 1)",
        "torch.exp(z) / torch.sum(torch.exp(z), [1], True)"}) {
    SCOPED_TRACE(result);
    Serve(result, result, OutputActivation::kSoftmax);
    const Explanation answer = Ask(result).value();
    for (int i = 0; i < 3; ++i) {
      const ClassScore& top = answer.images[0].top[i];
      EXPECT_EQ(top.index, expected[i].index);
      EXPECT_NEAR(*top.probability, *expected[i].probability, 1e-5);
    }
    EXPECT_EQ(answer.results[0].explained.probability,
              answer.images[0].top[0].probability);
    EXPECT_THAT(
        std::string(Ask(result, {}, Score::kSoftmax).status().message()),
        HasSubstr("score SOFTMAX needs logits"));
  }
}

TEST_F(EngineOutputTest, OneOutputHasTwoClassesWhoseProbabilitiesAddUp) {
  float logit = 0;
  for (const char* result :
       {"o", "o[:, 0]", "torch.sigmoid(o)", "torch.log(torch.sigmoid(o))"}) {
    SCOPED_TRACE(result);
    Serve(result, result);
    const Explanation answer = Ask(result, kBoth).value();
    ASSERT_THAT(answer.results, SizeIs(2));
    const ClassScore& own = answer.results[0].explained;
    const ClassScore& other = answer.results[1].explained;
    if (logit == 0) logit = own.logit;
    EXPECT_NEAR(*own.probability, 1 / (1 + std::exp(-logit)), 1e-5);
    EXPECT_NEAR(*own.probability + *other.probability, 1, 1e-5);
    EXPECT_FALSE(answer.results[1].constant);
    EXPECT_THAT(answer.images[0].top, SizeIs(2));
    EXPECT_EQ(answer.images[0].top[0].index, logit > 0 ? 0 : 1)
        << "the predicted class is the likelier one";

    const Explanation value = Ask(result, {}, Score::kScalarOutput).value();
    EXPECT_EQ(value.results[0].explained.probability, std::nullopt);
    EXPECT_EQ(value.results[0].explained.logit, own.logit);
    EXPECT_EQ(value.results[0].score, own.logit);
    ASSERT_THAT(value.images[0].top, SizeIs(1));
    EXPECT_EQ(value.images[0].top[0].probability, std::nullopt);
  }
}

TEST_F(EngineOutputTest, OfTwoLabelsTheSecondIsTheOutputsOwn) {
  Serve("first", "o");
  Serve("second", "o", {}, {"cat", "dog"});
  const float own = Ask("first", kBoth).value().results[0].score;
  const Explanation answer =
      Ask("second", {Label{"dog"}, Label{"cat"}}).value();
  EXPECT_EQ(answer.results[0].explained.index, 1);
  EXPECT_EQ(answer.results[0].explained.label, "dog");
  EXPECT_FLOAT_EQ(answer.results[0].score, own);
  EXPECT_FLOAT_EQ(answer.results[1].score, -own);
  const Explanation value = Ask("second", {}, Score::kScalarOutput).value();
  EXPECT_FLOAT_EQ(value.results[0].score, own);
  EXPECT_EQ(value.results[0].explained.label, "") << "no class";
}

TEST_F(EngineOutputTest, PlainValuesHaveNoProbabilityAnywhere) {
  for (const char* result : {"o + 31.", "z", "torch.sigmoid(o)"}) {
    SCOPED_TRACE(result);
    Serve(result, result, OutputActivation::kRegression, {});
    const Explanation answer = Ask(result).value();
    EXPECT_EQ(answer.results[0].explained.probability, std::nullopt);
    for (const ClassScore& top : answer.images[0].top) {
      EXPECT_EQ(top.probability, std::nullopt);
    }
    EXPECT_THAT(
        std::string(Ask(result, {}, Score::kSigmoid).status().message()),
        HasSubstr("the model returns plain values"));
    Job meta = FakeJob(1);
    meta.model = result;
    meta.attributions[0].layers = {};
    meta.meta = JobMetaStep();
    EXPECT_THAT(std::string(Submit(meta).status().message()),
                HasSubstr("the model returns plain values"));
  }
}

TEST_F(EngineOutputTest, AModelThatIsSureSaysWhyItsMapIsConstant) {
  for (const char* result :
       {"torch.softmax(z * 3000., 1)", "torch.log_softmax(z * 3000., 1)",
        "torch.sigmoid(o * 3000.)"}) {
    SCOPED_TRACE(result);
    Serve(result, result);
    const Explanation answer = Ask(result).value();
    EXPECT_TRUE(answer.results[0].constant);
    EXPECT_THAT(answer.results[0].warning, HasSubstr("gradient vanishes"));
  }
  Serve("sure", "z * 3000.");
  EXPECT_THAT(Ask("sure", {}, Score::kSoftmax).value().results[0].warning,
              HasSubstr("gradient vanishes"));
  EXPECT_EQ(Ask("sure").value().results[0].warning, "");
}

TEST_F(EngineOutputTest, AMetaStepMakesAClassLikelier) {
  for (const char* result :
       {"z", "torch.softmax(z, 1)", "torch.log_softmax(z, 1)", "o",
        "torch.sigmoid(o)", "torch.sigmoid(z)"}) {
    SCOPED_TRACE(result);
    Serve(result, result);
    Job job = FakeJob(1);
    job.model = result;
    job.targets = kBoth;
    job.attributions[0].layers = {};
    job.meta = JobMetaStep{.epsilon = 0.001};
    job.plain_maps = true;
    const Explanation answer = Submit(job).value();
    for (int target = 0; target < 2; ++target) {
      EXPECT_GT(*answer.results[target].explained.probability,
                *answer.plain_results[target].explained.probability);
    }
  }
}

}  // namespace
}  // namespace saliency::engine_output_test
