#include "core/engine/run/cascading_randomization.h"

#include <ATen/ATen.h>

#include <cmath>

#include "core/engine/refusal.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fakes.h"

namespace saliency::cascading_randomization_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// What the copies of a cascade were asked.
struct CascadeLog {
  std::vector<std::vector<std::string>> random_modules;  // of each copy
  std::vector<std::vector<int64_t>> classes;  // explained, of each pass's rows
  int alive = 0;
  int most_alive = 0;
  int no_memory_at = -1;   // random modules of the copy whose passes fail
  int not_finite_at = -1;  // ... whose maps are
};

// The map of a copy with n random modules: 0 1 2 3 at n = 0, and that times
// (-1)^n as long as n < 3; constant beyond.  Its likeliest class is 9 - n.
class StageExplainer final : public Explainer {
 public:
  StageExplainer(int n, CascadeLog& log) : n_(n), log_(log) {
    log_.most_alive = std::max(log_.most_alive, ++log_.alive);
  }
  ~StageExplainer() override { --log_.alive; }

  absl::StatusOr<PassAnswers> Explain(
      absl::Span<const PassItem* const> items) override {
    if (n_ == log_.no_memory_at) return absl::ResourceExhaustedError("memory");
    PassAnswers answers;
    std::vector<int64_t> explained;
    for (const PassItem* item : items) {
      const size_t maps = item->variants.front().attributions.size();
      PassAnswer answer;
      VariantAnswer& made = answer.variants.emplace_back();
      answer.logits = at::zeros({item->input.size(0), 10});
      for (int64_t p = 0; p < item->input.size(0); ++p) {
        const auto first = item->input[p].flatten()[0].item<float>();
        // An image of ones has another likeliest class than one of zeros.
        const int64_t likeliest = 9 - n_ - static_cast<int64_t>(first);
        answer.logits[p][likeliest] = 1;
        for (const ClassTarget& target : item->targets) {
          const auto* index = std::get_if<ClassIndex>(&target);
          answer.class_index.push_back(index == nullptr ? likeliest
                                                        : index->index);
          made.score.push_back(1);
          for (size_t s = 0; s < maps; ++s) {
            made.maps.push_back(Map());
          }
          explained.push_back(answer.class_index.back());
        }
      }
      answers.items.push_back(std::move(answer));
    }
    log_.classes.push_back(explained);
    return answers;
  }

 private:
  at::Tensor Map() const {
    if (n_ == log_.not_finite_at) return at::full({2, 2}, NAN);
    const at::Tensor ramp = at::arange(4, at::kFloat).view({2, 2});
    return n_ >= 3 ? at::ones({2, 2}) : ramp * (n_ % 2 == 0 ? 1 : -1);
  }

  const int n_;
  CascadeLog& log_;
};

class CascadingRandomizationTest : public testing::Test {
 protected:
  CascadingRandomizationTest() {
    job_ = FakeJob(0);
    parameters_ = {"a.weight", "b.weight", "c.0.weight", "d.weight"};
  }

  absl::Status Run(std::vector<std::string> stages = {}) {
    const ModelMetadata model = FakeModel();
    const EngineLimits limits;
    WorkInHand in_hand(Clock::Real());
    return RunCascade(
        {.job = job_,
         .stages = std::move(stages),
         .model = model,
         .limits = limits,
         .in_hand = in_hand},
        [this](absl::Span<const std::string> modules)
            -> absl::StatusOr<ModelCopy> {
          log_.random_modules.emplace_back(modules.begin(), modules.end());
          if (!copy_status_.ok()) return copy_status_;
          return ModelCopy{.explainer = std::make_unique<StageExplainer>(
                               static_cast<int>(modules.size()), log_),
                           .parameter_names = parameters_};
        },
        [this](CascadeStage stage) {
          taken_.push_back(std::move(stage));
          return take_status_;
        });
  }

  std::vector<std::optional<double>> Correlations() const {
    std::vector<std::optional<double>> found;
    for (const CascadeStage& stage : taken_) {
      found.push_back(stage.explanation.correlations[0]);
    }
    return found;
  }

  Job job_;
  std::vector<std::string> parameters_;
  absl::Status copy_status_;
  absl::Status take_status_;
  CascadeLog log_;
  std::vector<CascadeStage> taken_;
};

TEST_F(CascadingRandomizationTest, ModulesBecomeRandomOneAfterAnother) {
  ASSERT_TRUE(Run().ok());
  EXPECT_THAT(
      log_.random_modules,
      ElementsAre(IsEmpty(), ElementsAre("d"), ElementsAre("d", "c"),
                  ElementsAre("d", "c", "b"), ElementsAre("d", "c", "b", "a")));
  std::vector<std::string> modules;
  for (size_t i = 0; i < taken_.size(); ++i) {
    EXPECT_EQ(taken_[i].stage, static_cast<int>(i));
    EXPECT_EQ(taken_[i].stages, 5);
    modules.push_back(taken_[i].module);
  }
  EXPECT_THAT(modules, ElementsAre("", "d", "c", "b", "a"));
  EXPECT_EQ(log_.most_alive, 1) << "one copy at a time";
}

TEST_F(CascadingRandomizationTest, MapsAreComparedWithThoseOfStageZero) {
  ASSERT_TRUE(Run().ok());
  EXPECT_THAT(Correlations(),
              ElementsAre(1.0, -1.0, 1.0, std::nullopt, std::nullopt));
  // |0 1 2 3| is the same whatever its sign.
  EXPECT_EQ(taken_[1].explanation.absolute_correlations[0], 1.0);
  EXPECT_EQ(taken_[3].explanation.absolute_correlations[0], std::nullopt);
  EXPECT_TRUE(taken_[3].explanation.results[0].constant);
}

TEST_F(CascadingRandomizationTest, ALaterStageMayBringNoMapAtAll) {
  log_.not_finite_at = 1;
  ASSERT_TRUE(Run().ok());
  EXPECT_THAT(Correlations(),
              ElementsAre(1.0, std::nullopt, 1.0, std::nullopt, std::nullopt));
  EXPECT_EQ(taken_[1].explanation.results[0].status.code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(CascadingRandomizationTest, TheModelAsItIsMustBringAMap) {
  log_.not_finite_at = 0;
  EXPECT_EQ(Run().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(taken_, IsEmpty());
}

TEST_F(CascadingRandomizationTest, WhatDoesNotFitTheMemoryIsTooLarge) {
  log_.no_memory_at = 2;
  const absl::Status status = Run();
  EXPECT_TRUE(NeverRetry(status)) << status;
  EXPECT_EQ(taken_.size(), 2U);
}

TEST_F(CascadingRandomizationTest, StagesMayBeNamed) {
  ASSERT_TRUE(Run({"c.0", "a"}).ok());
  EXPECT_THAT(log_.random_modules, ElementsAre(IsEmpty(), ElementsAre("c.0"),
                                               ElementsAre("c.0", "a")));
}

TEST_F(CascadingRandomizationTest, TheClassOfStageZeroStaysTheExplainedOne) {
  ASSERT_TRUE(Run().ok());
  for (const auto& classes : log_.classes) EXPECT_THAT(classes, ElementsAre(9));
  EXPECT_EQ(taken_[2].explanation.results[0].explained.index, 9);
  // The likeliest classes are those of the stage's own weights.
  EXPECT_EQ(taken_[2].explanation.images[0].top[0].index, 7);
}

TEST_F(CascadingRandomizationTest, EachImageKeepsItsOwnClass) {
  TensorInput input = {.shape = {2, 3, 8, 8}};
  std::vector<float> values(2 * 3 * 8 * 8, 0);
  std::fill(values.begin() + 3 * 8 * 8, values.end(), 1.0F);
  input.data.assign(reinterpret_cast<const char*>(values.data()),
                    values.size() * sizeof(float));
  job_.input = std::move(input);
  job_.targets = {RankFromTop{}, ClassIndex{3}};
  ASSERT_TRUE(Run().ok());
  for (const auto& classes : log_.classes) {
    EXPECT_THAT(classes, ElementsAre(9, 3, 8, 3));
  }
  EXPECT_EQ(taken_[1].explanation.results.size(), 4U);
  EXPECT_EQ(taken_[1].explanation.results[3].image, 1);
}

TEST_F(CascadingRandomizationTest, AnUnknownStageIsRefusedBeforeAnyPass) {
  const absl::Status status = Run({"c.1"});
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("nearest: \"c"));
  EXPECT_THAT(log_.classes, IsEmpty());
}

TEST_F(CascadingRandomizationTest, AFrozenModelIsRefused) {
  for (const auto& parameters :
       {std::vector<std::string>(), std::vector<std::string>{"scale"}}) {
    parameters_ = parameters;
    EXPECT_EQ(Run().code(), absl::StatusCode::kFailedPrecondition);
  }
  parameters_ = {};
  EXPECT_EQ(Run({"a"}).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(taken_, IsEmpty());
}

TEST_F(CascadingRandomizationTest, ABadQuestionNeedsNoCopy) {
  job_.attributions[0].layers = {"nope"};
  EXPECT_EQ(Run().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(log_.random_modules, IsEmpty());
}

TEST_F(CascadingRandomizationTest, WhoeverTakesTheStagesMayEndIt) {
  take_status_ = absl::CancelledError("enough");
  EXPECT_EQ(Run(), take_status_);
  EXPECT_EQ(taken_.size(), 1U);
}

TEST_F(CascadingRandomizationTest, CancellationAndDeadlineEndIt) {
  job_.cancel = std::make_shared<CancelToken>();
  job_.cancel->Cancel();
  EXPECT_EQ(Run().code(), absl::StatusCode::kCancelled);
  job_.cancel = nullptr;
  job_.deadline = absl::Now();
  EXPECT_EQ(Run().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(log_.random_modules, IsEmpty());
}

TEST_F(CascadingRandomizationTest, ACopyThatCannotBeHadEndsIt) {
  copy_status_ = absl::ResourceExhaustedError("no memory");
  EXPECT_EQ(Run(), copy_status_);
}

}  // namespace
}  // namespace saliency::cascading_randomization_test
