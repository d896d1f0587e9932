// Methods with backward rules of their own over a real model: beside others and
// strangers they give what each alone gives, and where they cannot be had they
// say why.

#include <cmath>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "core/attribution/registry.h"
#include "core/engine/engine.h"
#include "core/engine/plan/plan_results.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/job_parts.h"
#include "tests/engine/tiny_resnet.h"
#include "tests/support/fakes.h"

namespace saliency::rules_test {
namespace {

using ::testing::HasSubstr;

// Rounding of other batch sizes, ten layers deep.
constexpr float kTolerance = 1e-4F;

Job RawJob(int seed, std::vector<JobAttribution> attributions) {
  Job job;
  job.input = RandomTensor(seed);
  job.targets = {RankFromTop{}, ClassIndex{3}};
  job.attributions = std::move(attributions);
  job.output.size = OutputSize::kLayer;
  job.output.normalise = false;
  return job;
}

std::vector<std::string> RuledMethods() {
  std::vector<std::string> names;
  for (const Method* method : AllMethods()) {
    if (!method->rule.is_gradient()) names.emplace_back(method->name);
  }
  return names;
}

std::vector<float> Floats(const std::string& bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

void ExpectSame(const MapResult& actual, const MapResult& expected) {
  SCOPED_TRACE(expected.method);
  ASSERT_TRUE(actual.status.ok()) << actual.status;
  ASSERT_TRUE(expected.status.ok()) << expected.status;
  EXPECT_EQ(actual.method, expected.method);
  EXPECT_EQ(actual.explained.index, expected.explained.index);
  EXPECT_NEAR(actual.score, expected.score, 1e-4);
  const std::vector<float> a = Floats(actual.data);
  const std::vector<float> b = Floats(expected.data);
  ASSERT_EQ(a.size(), b.size());
  float largest = 0;
  for (const float value : b) largest = std::max(largest, std::fabs(value));
  EXPECT_GT(largest, 0);
  for (std::size_t i = 0; i < a.size(); ++i) {
    ASSERT_NEAR(a[i], b[i], kTolerance * largest) << i;
  }
}

class RulesTest : public testing::Test {
 protected:
  RulesTest() : engine_({}, Clock::Real(), observer_) {
    ServeModel(engine_, LoadTinyResnet());
  }

  absl::StatusOr<Explanation> Explain(Job job) {
    Answers answers(1);
    engine_.Submit(std::move(job), answers.For(0));
    answers.AwaitAll();
    return answers.of(0);
  }

  std::string Refusal(Job job) {
    const absl::Status status = Explain(std::move(job)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    return std::string(status.message());
  }

  RecordingObserver observer_;
  Engine engine_;
};

TEST_F(RulesTest, AllOfThemBesideTheGradientAreAsEachAlone) {
  ASSERT_GE(RuledMethods().size(), 9);
  std::vector<JobAttribution> attributions = {At("gradient", {"layer3"})};
  for (const std::string& method : RuledMethods()) {
    attributions.push_back(At(method, {"layer3"}));
  }
  attributions.push_back(
      {*Attribution::Smoothed({.samples = 3, .seed = 5},
                              *Attribution::Named("guided_backprop")),
       {"layer3"}});
  const Explanation all = Explain(RawJob(1, attributions)).value();
  const std::size_t maps = attributions.size();
  ASSERT_EQ(all.results.size(), 2 * maps);
  for (std::size_t i = 0; i < maps; ++i) {
    const Explanation one = Explain(RawJob(1, {attributions[i]})).value();
    ASSERT_EQ(one.results.size(), 2);
    for (const std::size_t target : {0, 1}) {
      ExpectSame(all.results[target * maps + i], one.results[target]);
      EXPECT_EQ(one.images[0].top[0].index, all.images[0].top[0].index);
    }
  }
}

TEST_F(RulesTest, StrangersOfOtherRulesDoNotMatter) {
  std::vector<Job> jobs;
  int seed = 1;
  for (const std::string& method : RuledMethods()) {
    jobs.push_back(RawJob(seed++, {At(method, {"layer2"})}));
    jobs.push_back(RawJob(seed++, {At("norm_grad", {"layer4"})}));
    jobs.push_back(RawJob(seed++, {At(method, {"layer3"})}));
  }
  std::vector<Explanation> alone;
  for (const Job& job : jobs) alone.push_back(Explain(job).value());
  Answers answers(jobs.size());
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    engine_.Submit(jobs[i], answers.For(i));
  }
  answers.AwaitAll();
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    SCOPED_TRACE(i);
    const absl::StatusOr<Explanation> together = answers.of(i);
    ASSERT_TRUE(together.ok()) << together.status();
    for (const std::size_t target : {0, 1}) {
      ExpectSame(together->results[target], alone[i].results[target]);
    }
  }
}

TEST_F(RulesTest, WhereTheyCannotBeHadTheySayWhy) {
  Job softmax = RawJob(1, {At("lrp_gamma", {"layer3"})});
  softmax.score = Score::kSoftmax;
  EXPECT_THAT(Refusal(softmax), HasSubstr("scores LOGIT and SCALAR_OUTPUT"));
  EXPECT_THAT(Refusal(RawJob(1, {At("excitation_backprop", {"input"})})),
              HasSubstr("between the first and the last operator"));
}

// Of maps of one rule alone there is one pass.
TEST(RulePlanTest, ARuleAloneIsTheFirstVariant) {
  const ModelMetadata model = FakeModel();
  const auto plan = [&](const std::vector<const char*>& methods) {
    Job job = RawJob(1, {});
    for (const char* method : methods) {
      job.attributions.push_back(At(method, {"last"}));
    }
    Violations found;
    ResultPlan made = PlanResults(job, model, {}, found);
    EXPECT_TRUE(found.empty()) << found.status();
    return made;
  };
  const ResultPlan alone = plan({"guided_backprop"});
  EXPECT_TRUE(alone.rule.kind == BackwardRule::Kind::kGuidedBackprop);
  EXPECT_EQ(alone.pass.size(), 1);
  EXPECT_TRUE(alone.further.empty());
  EXPECT_EQ(alone.results[0].variant, 0);
  const ResultPlan beside =
      plan({"smooth_grad", "guided_backprop", "gradient", "lrp_epsilon"});
  EXPECT_TRUE(beside.rule.is_gradient());
  ASSERT_EQ(beside.further.size(), 3);
  EXPECT_FALSE(beside.further[0].sampling.has_value());
  EXPECT_TRUE(beside.further[2].sampling.has_value()) << "those come last";
  EXPECT_EQ(beside.results[0].variant, 3);
  EXPECT_EQ(beside.results[1].variant, 1);
  EXPECT_EQ(beside.results[2].variant, 0);
  EXPECT_EQ(beside.results[3].variant, 2);
}

TEST(RulePlanTest, AnOperatorThatTheRuleDoesNotCoverIsNamed) {
  ModelMetadata model = FakeModel();
  model.rule_refusals[BackwardRule::Kind::kGuidedBackprop] =
      "operator silu of layer \"act\", which is no ReLU";
  Job job = RawJob(1, {At("guided_backprop", {"last"})});
  Violations found;
  PlanResults(job, model, {}, found);
  EXPECT_THAT(std::string(found.status().message()),
              HasSubstr("method \"guided_backprop\" is not defined for this "
                        "model: it has operator silu of layer \"act\", which "
                        "is no ReLU"));
  job.attributions[0].attribution = *Attribution::WithRule(
      "guided_backprop", {.kind = BackwardRule::Kind::kGuidedBackprop,
                          .allow_unsupported_activations = true});
  Violations none;
  PlanResults(job, model, {}, none);
  EXPECT_TRUE(none.empty()) << none.status();
}

}  // namespace
}  // namespace saliency::rules_test
