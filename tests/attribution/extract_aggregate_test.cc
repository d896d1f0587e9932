#include "core/attribution/extract_aggregate.h"

#include <ATen/ATen.h>

#include <string>
#include <tuple>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/attribution/random_records.h"
#include "tests/support/devices.h"
#include "tests/support/naive_oracle.h"
#include "tests/support/tensor_close.h"

namespace saliency::extract_aggregate_test {
namespace {

using testing::HasSubstr;

// Float32 sums of up to 9 * 17 * 17 products against float64.
constexpr double kTolerance = 2e-5;

using PairParam = std::tuple<const char*, Extract, Aggregate>;

class PairTest : public testing::TestWithParam<PairParam> {
 protected:
  void SetUp() override {
    const std::string reason = WhyUnavailable(std::get<0>(GetParam()));
    if (!reason.empty()) GTEST_SKIP() << reason;
  }
};

TEST_P(PairTest, ClosedFormEqualsTheOuterProduct) {
  const auto [device, extract, aggregate] = GetParam();
  for (uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    const LayerRecord record = RandomLayer(seed, c10::Device(device));
    const at::Tensor contribution = oracle::Contribution(extract, record);
    at::Tensor expected = oracle::AggregateLast(aggregate, contribution);
    const at::Tensor actual = ExtractAggregate(extract, aggregate, record);
    ASSERT_EQ(actual.scalar_type(), at::kFloat);
    ASSERT_EQ(actual.device(), record.activation.device());
    // A sum may cancel: its error is relative to the largest contribution.
    ASSERT_EQ(actual.sizes(), expected.sizes());
    const at::Tensor scale = contribution.abs().sum(-1).flatten(1).amax(1) + 1;
    const at::Tensor error =
        (actual.cpu().to(at::kDouble) - expected).abs().flatten(1).amax(1) /
        scale;
    ASSERT_LE(error.max().item<double>(), 1e-6);
    if (aggregate != Aggregate::kSum && aggregate != Aggregate::kPositiveSum) {
      ASSERT_TRUE(RowsClose(actual, expected, kTolerance));
    }
  }
}

TEST_P(PairTest, LeavesItsInputsAsTheyWere) {
  const auto [device, extract, aggregate] = GetParam();
  const LayerRecord record = RandomLayer(7, c10::Device(device));
  const at::Tensor x = record.activation.clone();
  const at::Tensor g = record.gradient.clone();
  at::Tensor map = ExtractAggregate(extract, aggregate, record);
  map.fill_(3);  // nor does the result share memory with them
  EXPECT_TRUE(Identical(record.activation, x));
  EXPECT_TRUE(Identical(record.gradient, g));
}

std::string PairName(const testing::TestParamInfo<PairParam>& param) {
  const auto& [device, extract, aggregate] = param.param;
  return DeviceTestName(device) + "_" + std::string(ExtractName(extract)) +
         "_" + std::string(AggregateName(aggregate));
}

INSTANTIATE_TEST_SUITE_P(Grid, PairTest,
                         testing::Combine(testing::ValuesIn(kTestDevices),
                                          testing::ValuesIn(kAllExtracts),
                                          testing::ValuesIn(kAllAggregates)),
                         PairName);

// Every contribution is negative inside; at the border the padding's zeros are
// larger.
TEST(ExtractAggregateTest, ZeroPaddingTakesPartInTheMaximum) {
  const LayerRecord record = {.activation = -at::ones({1, 1, 3, 3}),
                              .gradient = at::ones({1, 1, 3, 3})};
  at::Tensor expected = at::zeros({1, 3, 3});
  expected[0][1][1] = -1;
  EXPECT_TRUE(Identical(
      ExtractAggregate(Extract::kConv3x3, Aggregate::kMax, record), expected));
  EXPECT_TRUE(Identical(
      ExtractAggregate(Extract::kDepthwise3x3, Aggregate::kMax, record),
      expected));
}

TEST(ExtractAggregateTest, PositivePartIsTakenBeforeTheNormNotAfterTheSum) {
  const LayerRecord record = {
      .activation = at::ones({1, 2, 1, 1}),
      .gradient = at::tensor({3.0F, -4.0F}).view({1, 2, 1, 1})};
  const auto value = [&](Aggregate aggregate) {
    return ExtractAggregate(Extract::kScaling, aggregate, record).item<float>();
  };
  EXPECT_FLOAT_EQ(value(Aggregate::kPositiveNorm), 3);
  EXPECT_FLOAT_EQ(value(Aggregate::kPositiveSum), 0);
  EXPECT_FLOAT_EQ(value(Aggregate::kNorm), 5);
  EXPECT_FLOAT_EQ(value(Aggregate::kSum), -1);
  EXPECT_FLOAT_EQ(value(Aggregate::kMax), 3);
  EXPECT_FLOAT_EQ(value(Aggregate::kMaxAbs), 4);
}

TEST(NamesTest, EveryNameParsesToItsOwnValue) {
  for (const Extract extract : kAllExtracts) {
    EXPECT_EQ(ParseExtract(ExtractName(extract)).value(), extract);
  }
  for (const Aggregate aggregate : kAllAggregates) {
    EXPECT_EQ(ParseAggregate(AggregateName(aggregate)).value(), aggregate);
  }
}

TEST(NamesTest, AnUnknownNameIsAnsweredWithTheKnownOnes) {
  const absl::Status extract = ParseExtract("conv5x5\n").status();
  EXPECT_EQ(extract.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(extract.message()),
              HasSubstr("extract \"conv5x5\\n\" is unknown; known: bias, "
                        "scaling, conv1x1, conv3x3, depthwise3x3"));
  const absl::Status aggregate = ParseAggregate("Norm").status();
  EXPECT_EQ(aggregate.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(aggregate.message()),
              HasSubstr("aggregate \"Norm\" is unknown; known: sum, "
                        "positive_sum, norm, positive_norm, max, max_abs"));
  EXPECT_FALSE(ParseExtract("").ok());
}

}  // namespace
}  // namespace saliency::extract_aggregate_test
