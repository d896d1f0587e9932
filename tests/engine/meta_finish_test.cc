// What becomes of stepped and plain maps: whose scores they carry, and how
// alike they are.

#include <ATen/ATen.h>

#include <cstring>
#include <limits>

#include "core/engine/finish/finish.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fakes.h"

namespace saliency::meta_finish_test {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Optional;
using testing::SizeIs;

constexpr double kRounding = 1e-12;

at::Tensor Map(std::vector<float> values) {
  return at::tensor(values, at::kFloat).view({2, 2});
}

std::vector<float> Floats(const std::string& bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

// One image of 8 x 8, `targets` classes, one map for each of them.
struct Prepared {
  explicit Prepared(std::vector<absl::StatusOr<at::Tensor>> maps) {
    job.item.input = at::zeros({1, 3, 8, 8});
    VariantAnswer& made = answer.variants.emplace_back();
    job.item.variants.front().attributions = {
        {.attribution = *Attribution::Named("linear_approximation"),
         .layer = "conv"}};
    job.results = {{.method = "linear_approximation",
                    .layer = "conv",
                    .is_signed = true,
                    .layer_pixels = 4,
                    .pass_index = 0}};
    job.images = {
        {.height = 8, .width = 8, .region = {.height = 8, .width = 8}}};
    answer.logits = at::arange(10, at::kFloat).view({1, 10});
    for (std::size_t t = 0; t < maps.size(); ++t) {
      job.item.targets.emplace_back(ClassIndex{static_cast<int64_t>(t)});
      answer.class_index.push_back(static_cast<int64_t>(t));
      made.score.push_back(0.5F + static_cast<float>(t));
    }
    made.maps = std::move(maps);
  }

  // Each row's logits after the step are ten times those before.
  void Step(std::vector<absl::StatusOr<at::Tensor>> plain_maps) {
    job.item.variants.push_back(job.item.variants.front());
    job.item.variants.front().meta = MetaStep();
    answer.variants.front().stepped_logits =
        answer.logits.repeat({job.item.rows(), 1}) * 10;
    answer.variants.push_back({.score = std::vector<float>(job.item.rows(), 7),
                               .maps = std::move(plain_maps)});
  }

  Explanation Finish(const FinishOptions& options) const {
    return FinishJob(job, answer, FakeModel(), options).value();
  }

  PreparedJob job;
  PassAnswer answer;
};

const OutputOptions kRaw = {.size = OutputSize::kLayer, .normalise = false};

TEST(MetaFinishTest, SteppedMapsCarryTheSteppedScoresPlainOnesTheModels) {
  Prepared prepared({Map({0, 1, 2, 3}), Map({0, 1, 2, 4})});
  prepared.Step({Map({5, 6, 7, 8}), Map({4, 3, 2, 1})});
  const Explanation answer =
      prepared.Finish({.output = kRaw, .plain_maps = true});
  ASSERT_THAT(answer.results, SizeIs(2));
  EXPECT_EQ(answer.results[1].explained.index, 1);
  EXPECT_EQ(answer.results[1].explained.logit, 10);
  EXPECT_EQ(answer.results[1].score, 1.5F);
  EXPECT_THAT(Floats(answer.results[1].data), ElementsAre(0, 1, 2, 4));
  ASSERT_THAT(answer.plain_results, SizeIs(2));
  EXPECT_EQ(answer.plain_results[1].explained.index, 1);
  EXPECT_EQ(answer.plain_results[1].explained.logit, 1);
  EXPECT_EQ(answer.plain_results[1].score, 7);
  EXPECT_EQ(answer.plain_results[1].target, 1);
  EXPECT_THAT(Floats(answer.plain_results[1].data), ElementsAre(4, 3, 2, 1));
  EXPECT_EQ(answer.images[0].top[0].logit, 9) << "of the model as it is";
  EXPECT_THAT(answer.correlations, IsEmpty()) << "nobody asked for them";
}

TEST(MetaFinishTest, CorrelationsAreOfRanksAndNoneWhereUndefined) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  Prepared prepared({Map({0, 1, 2, 3}), Map({0, 1, 2, 3}), Map({5, 5, 5, 5}),
                     Map({0, 1, 2, kNan}), Map({0, 1, 2, 3})});
  prepared.Step({Map({-8, 1, 2, 900}), Map({3, 2, 1, 0}), Map({0, 1, 2, 3}),
                 Map({0, 1, 2, 3}), absl::InternalError("no map")});
  const Explanation answer =
      prepared.Finish({.output = kRaw, .correlate = Correlate::kPlain});
  EXPECT_THAT(answer.correlations,
              ElementsAre(Optional(1.0), Optional(-1.0), std::nullopt,
                          std::nullopt, std::nullopt));
  EXPECT_THAT(answer.plain_results, IsEmpty()) << "nobody asked for them";
}

TEST(MetaFinishTest, CorrelationsTakeAverageRanksForTies) {
  Prepared prepared({Map({0, 0, 1, 2})});
  prepared.Step({Map({0, 1, 2, 3})});
  const Explanation answer =
      prepared.Finish({.output = kRaw, .correlate = Correlate::kPlain});
  // Ranks 1.5 1.5 3 4 and 1 2 3 4: 4.5 / sqrt(4.5 x 5).
  EXPECT_THAT(answer.correlations,
              ElementsAre(Optional(DoubleNear(0.9486832980505138, kRounding))));
}

TEST(MetaFinishTest, CombinationsHavePlainOnesAndCorrelationsToo) {
  Prepared prepared({Map({0, 1, 2, 4})});
  prepared.Step({Map({4, 2, 1, 0})});
  prepared.job.layer_results = prepared.job.results;
  prepared.job.results.clear();
  prepared.job.combinations = {
      {.method = "linear_approximation",
       .layers = {0},
       .weights = CombinationWeights::Create(Weighting::kUniform, 1).value()},
      {.status = absl::NotFoundError("no such layer")}};
  const Explanation answer = prepared.Finish(
      {.output = {.size = OutputSize::kExplicit, .height = 2, .width = 2},
       .plain_maps = true,
       .correlate = Correlate::kPlain});
  ASSERT_THAT(answer.combined, SizeIs(2));
  EXPECT_THAT(Floats(answer.combined[0].map.data),
              ElementsAre(0, 0.25, 0.5, 1));
  EXPECT_EQ(answer.combined[0].map.explained.logit, 0);
  ASSERT_THAT(answer.plain_combined, SizeIs(2));
  EXPECT_THAT(Floats(answer.plain_combined[0].map.data),
              ElementsAre(1, 0.5, 0.25, 0));
  EXPECT_EQ(answer.plain_combined[0].map.score, 7);
  EXPECT_THAT(answer.combined_correlations,
              ElementsAre(Optional(-1.0), std::nullopt));
}

TEST(MetaFinishTest, TargetsAreComparedImageByImage) {
  const Prepared prepared({Map({0, 1, 2, 3}), Map({9, 7, 5, 3})});
  const Explanation answer =
      prepared.Finish({.output = {.size = OutputSize::kModelInput,
                                  .normalise = false,
                                  .encoding = MapEncoding::kNone},
                       .correlate = Correlate::kTargets});
  ASSERT_THAT(answer.results, SizeIs(2));
  // Both are resized to the input first, and one is 9 less twice the other.
  EXPECT_THAT(answer.correlations,
              ElementsAre(Optional(DoubleNear(-1, kRounding))));
  EXPECT_THAT(answer.combined_correlations, IsEmpty());
}

TEST(MetaFinishTest, AStepWithoutItsLogitsIsOurBug) {
  Prepared prepared({Map({0, 1, 2, 3})});
  prepared.Step({Map({0, 1, 2, 3})});
  PassAnswer answer = prepared.answer;
  answer.variants.front().stepped_logits = at::Tensor();
  EXPECT_EQ(FinishJob(prepared.job, answer, FakeModel(), {}).status().code(),
            absl::StatusCode::kInternal);
  answer = prepared.answer;
  answer.variants[1].maps.clear();
  EXPECT_EQ(FinishJob(prepared.job, answer, FakeModel(), {}).status().code(),
            absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace saliency::meta_finish_test
