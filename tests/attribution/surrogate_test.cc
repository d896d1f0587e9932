#include "core/attribution/surrogate.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <functional>
#include <set>
#include <utility>
#include <vector>

#include "core/attribution/coalitions.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/support/naive_surrogate.h"

namespace saliency::surrogate_test {
namespace {

using ::testing::DoubleNear;
using ::testing::Pointwise;

// Sums are of terms in float32.
constexpr double kRounding = 1e-5;

// The coefficients of these scores, sample by sample as the engine sums them.
std::vector<double> Fitted(const Surrogate& surrogate,
                           const std::vector<double>& scores, double score) {
  constexpr int64_t kWidth = 40;
  at::Tensor sums = at::zeros({1 + kWidth}, at::kDouble);
  for (std::size_t s = 0; s < scores.size(); ++s) {
    const at::Tensor terms =
        TermsOf(surrogate, static_cast<int64_t>(s), kWidth);
    sums += scores[s] * terms[0].to(at::kDouble);
  }
  const at::Tensor found = Coefficients(surrogate, sums, score).contiguous();
  const double* const first = found.data_ptr<double>();
  return {first, first + found.numel()};
}

uint64_t MembersOf(const Coalitions& coalitions, int64_t sample) {
  uint64_t members = 0;
  for (int64_t m = 0; m < coalitions.segments(); ++m) {
    if (coalitions.kept[sample][m].item<bool>()) members |= uint64_t{1} << m;
  }
  return members;
}

std::vector<double> ScoresOf(const Coalitions& coalitions,
                             const std::function<double(uint64_t)>& value) {
  std::vector<double> scores;
  for (int64_t s = 0; s < coalitions.count(); ++s) {
    scores.push_back(value(MembersOf(coalitions, s)));
  }
  return scores;
}

// A game whose players act together.
double Game(uint64_t members) {
  const auto has = [&](int i) { return (members >> i & 1) != 0 ? 1.0 : 0.0; };
  const auto size = static_cast<double>(__builtin_popcountll(members));
  return 7 + 2 * has(0) - has(1) + 3 * has(0) * has(2) -
         has(1) * has(2) * has(3) + 0.5 * std::sin(size) + has(5) / (1 + size);
}

TEST(LimeCoalitionsTest, TheFirstLeavesAllAndTheOthersEachSegmentHalfTheTime) {
  const Coalitions coalitions = LimeCoalitions({.samples = 4000}, 20);
  ASSERT_EQ(coalitions.kept.sizes(), at::IntArrayRef({4000, 20}));
  EXPECT_TRUE(coalitions.kept[0].all().item<bool>());
  EXPECT_EQ(coalitions.weights[0].item<double>(), 1);
  const at::Tensor shares = coalitions.kept.to(at::kDouble).mean(0);
  // Five standard errors.
  EXPECT_LT((shares - 0.5).abs().max().item<double>(),
            5 * 0.5 / std::sqrt(4000.0));
}

TEST(ShapleyCoalitionsTest, AreAllThereAreWhereThereIsRoom) {
  for (const int64_t segments : {1, 2, 3, 6, 9}) {
    const int64_t all = (int64_t{1} << segments) - 1;  // less the full one
    const Coalitions coalitions = ShapleyCoalitions(
        {.samples = static_cast<int>(std::max<int64_t>(all - 1, 2))}, segments);
    std::set<uint64_t> members;
    for (int64_t s = 0; s < coalitions.count(); ++s) {
      members.insert(MembersOf(coalitions, s));
    }
    EXPECT_EQ(coalitions.count(), all);
    EXPECT_EQ(static_cast<int64_t>(members.size()), all);
    EXPECT_EQ(members.count(static_cast<uint64_t>(all)), 0U);
    EXPECT_EQ(MembersOf(coalitions, 0), 0U);
    EXPECT_NEAR(coalitions.weights.sum().item<double>(), segments > 1 ? 1 : 0,
                1e-12);
  }
}

TEST(ShapleyCoalitionsTest, ComeInPairsAndFillWhatIsAskedFor) {
  const Coalitions coalitions = ShapleyCoalitions({.samples = 301}, 12);
  // Those of 1 and of 11, then random ones.
  EXPECT_EQ(coalitions.count(), 1 + 300);
  std::set<int64_t> whole;
  for (int64_t s = 1; s + 1 < coalitions.count(); s += 2) {
    EXPECT_TRUE(
        at::equal(coalitions.kept[s], coalitions.kept[s + 1].logical_not()));
    EXPECT_EQ(coalitions.weights[s].item<double>(),
              coalitions.weights[s + 1].item<double>());
    const auto size = coalitions.kept[s].sum().item<int64_t>();
    EXPECT_EQ(size == 1, s < 1 + 24) << s;
  }
  EXPECT_NEAR(coalitions.weights.sum().item<double>(), 1, 1e-12);
}

TEST(CoalitionsTest, SeedAndSizesDecide) {
  const auto lime = [](uint64_t seed) {
    return LimeCoalitions({.samples = 40, .seed = seed}, 20).kept;
  };
  EXPECT_TRUE(at::equal(lime(1), lime(1)));
  EXPECT_FALSE(at::equal(lime(1), lime(2)));
  const auto shap = [](uint64_t seed) {
    return ShapleyCoalitions({.samples = 100, .seed = seed}, 20).kept;
  };
  EXPECT_TRUE(at::equal(shap(1), shap(1)));
  EXPECT_FALSE(at::equal(shap(1), shap(2)));
}

// What make_surrogate_fixture.py wrote.
nlohmann::json Golden() {
  std::ifstream file(SALIENCY_GOLDEN_DIR "/surrogate/surrogate.json");
  return nlohmann::json::parse(file);
}

TEST(GoldenSurrogateTest, LimeIsWhatTheScriptFound) {
  const nlohmann::json golden = Golden();
  const auto rows = golden["kept"].get<std::vector<std::vector<int>>>();
  const auto weights = golden["weights"].get<std::vector<double>>();
  Coalitions coalitions;
  for (const std::vector<int>& row : rows) {
    const at::Tensor kept = at::tensor(row).to(at::kBool).unsqueeze(0);
    coalitions.kept =
        coalitions.kept.defined() ? at::cat({coalitions.kept, kept}) : kept;
  }
  coalitions.weights = LimeWeights(coalitions.kept, golden["kernel_width"]);
  for (std::size_t s = 0; s < weights.size(); ++s) {
    EXPECT_NEAR(coalitions.weights[static_cast<int64_t>(s)].item<double>(),
                weights[s], 1e-12);
  }
  EXPECT_THAT(Fitted(RidgeSurrogate(coalitions, golden["ridge"]),
                     golden["scores"].get<std::vector<double>>(), 0),
              Pointwise(DoubleNear(kRounding),
                        golden["coefficients"].get<std::vector<double>>()));
}

TEST(GoldenSurrogateTest, ShapleyValuesAreWhatTheScriptFound) {
  const nlohmann::json golden = Golden();
  const auto values = golden["values"].get<std::vector<double>>();
  const Surrogate surrogate = ShapleySurrogate(
      ShapleyCoalitions({.samples = 1000}, golden["segments"].get<int64_t>()));
  const std::vector<double> scores = ScoresOf(
      surrogate.coalitions, [&](uint64_t members) { return values[members]; });
  EXPECT_THAT(Fitted(surrogate, scores, values.back()),
              Pointwise(DoubleNear(kRounding),
                        golden["shapley_values"].get<std::vector<double>>()));
}

TEST(RidgeSurrogateTest, IsTheSolutionOfTheNormalEquations) {
  for (const double ridge : {1e-3, 1.0, 40.0}) {
    Coalitions coalitions = LimeCoalitions({.samples = 120, .seed = 5}, 11);
    const std::vector<double> scores = ScoresOf(coalitions, Game);
    const std::vector<double> want =
        oracle::RidgeCoefficients(coalitions, scores, ridge);
    EXPECT_THAT(
        Fitted(RidgeSurrogate(std::move(coalitions), ridge), scores, Game(0)),
        Pointwise(DoubleNear(kRounding), want));
  }
}

TEST(RidgeSurrogateTest, OfALinearModelTheCoefficientsAreItsOwn) {
  const std::vector<double> own = {3, -1, 0.5, 0, 2, -4, 1e-3, 8};
  const Surrogate surrogate =
      RidgeSurrogate(LimeCoalitions({.samples = 100}, 8), /*ridge=*/0);
  const std::vector<double> scores =
      ScoresOf(surrogate.coalitions, [&](uint64_t members) {
        double score = -20;
        for (int i = 0; i < 8; ++i) {
          if ((members >> i & 1) != 0) score += own[i];
        }
        return score;
      });
  EXPECT_THAT(Fitted(surrogate, scores, scores[0]),
              Pointwise(DoubleNear(1e-4), own));
}

// Images of an item share samples' numbers, and one may have fewer than
// another.
TEST(SurrogateTest, SamplesBeyondTheLastAddNothing) {
  const Surrogate surrogate =
      ShapleySurrogate(ShapleyCoalitions({.samples = 100}, 3));
  ASSERT_EQ(surrogate.coalitions.count(), 7);
  EXPECT_EQ(TermsOf(surrogate, 6, 5).count_nonzero().item<int64_t>(), 2);
  EXPECT_EQ(TermsOf(surrogate, 7, 5).sizes(), at::IntArrayRef({1, 6}));
  EXPECT_EQ(TermsOf(surrogate, 7, 5).count_nonzero().item<int64_t>(), 0);
}

TEST(ShapleySurrogateTest, OfAllCoalitionsItIsTheShapleyValues) {
  for (const int64_t segments : {1, 2, 3, 6, 9}) {
    SCOPED_TRACE(segments);
    const Surrogate surrogate =
        ShapleySurrogate(ShapleyCoalitions({.samples = 600}, segments));
    const double whole = Game((uint64_t{1} << segments) - 1);
    EXPECT_THAT(Fitted(surrogate, ScoresOf(surrogate.coalitions, Game), whole),
                Pointwise(DoubleNear(kRounding),
                          oracle::ShapleyValues(segments, Game)));
  }
}

TEST(ShapleySurrogateTest, IsTheConstrainedLeastSquaresOfWhatWasDrawn) {
  Coalitions coalitions = ShapleyCoalitions({.samples = 200, .seed = 3}, 14);
  const std::vector<double> scores = ScoresOf(coalitions, Game);
  const std::vector<double> want =
      oracle::ConstrainedCoefficients(coalitions, scores, Game(0x3FFF));
  EXPECT_THAT(
      Fitted(ShapleySurrogate(std::move(coalitions)), scores, Game(0x3FFF)),
      Pointwise(DoubleNear(kRounding), want));
}

TEST(ShapleySurrogateTest, ValuesSumToTheScoreLessTheBaselinesHoweverFew) {
  for (const int samples : {2, 6, 31, 300}) {
    for (const int64_t segments : {2, 5, 30}) {
      const Surrogate surrogate = ShapleySurrogate(
          ShapleyCoalitions({.samples = samples, .seed = 9}, segments));
      const std::vector<double> values =
          Fitted(surrogate, ScoresOf(surrogate.coalitions, Game), 11);
      double sum = 0;
      for (const double value : values) sum += value;
      EXPECT_NEAR(sum, 11 - Game(0), kRounding) << samples << ", " << segments;
    }
  }
}

}  // namespace
}  // namespace saliency::surrogate_test
