// Norms over the range of float32.  A map is homogeneous in the gradient and
// in the activation, so that a record of ordinary size says what a tiny or a
// huge one must give.

#include <torch/script.h>

#include "core/attribution/extract_aggregate.h"
#include "core/attribution/postprocess.h"
#include "gtest/gtest.h"
#include "tests/attribution/random_records.h"
#include "tests/support/devices.h"
#include "tests/support/tensor_close.h"

namespace saliency::numeric_range_test {
namespace {

class NumericRangeTest : public DeviceTest {};
SALIENCY_INSTANTIATE_DEVICES(NumericRangeTest);

constexpr Aggregate kNorms[] = {Aggregate::kNorm, Aggregate::kPositiveNorm};

TEST_P(NumericRangeTest, TinyAndHugeGradientsKeepTheirNorms) {
  for (const Extract extract : kAllExtracts) {
    for (const Aggregate aggregate : kNorms) {
      for (const double factor : {1e-6, 1e-20, 1e-32, 1e18, 1e32}) {
        for (uint64_t seed = 0; seed < 10; ++seed) {
          SCOPED_TRACE(testing::Message() << ExtractName(extract) << "+"
                                          << AggregateName(aggregate) << " x "
                                          << factor << " seed " << seed);
          LayerRecord record = RandomLayer(seed, device());
          const at::Tensor ordinary =
              ExtractAggregate(extract, aggregate, record).to(at::kDouble);
          record.gradient = record.gradient * factor;
          ASSERT_TRUE(RowsClose(ExtractAggregate(extract, aggregate, record),
                                ordinary * factor, 1e-5));
        }
      }
    }
  }
}

// The product is ordinary although neither square is.
TEST_P(NumericRangeTest, TinyActivationsAndHugeGradientsMeet) {
  for (const Extract extract : kAllExtracts) {
    if (extract == Extract::kBias) continue;
    for (const Aggregate aggregate : kNorms) {
      for (uint64_t seed = 0; seed < 10; ++seed) {
        SCOPED_TRACE(testing::Message()
                     << ExtractName(extract) << "+" << AggregateName(aggregate)
                     << " seed " << seed);
        LayerRecord record = RandomLayer(seed, device());
        const at::Tensor ordinary =
            ExtractAggregate(extract, aggregate, record).to(at::kDouble);
        record.gradient = record.gradient * 1e25;
        record.activation = record.activation * 1e-25;
        ASSERT_TRUE(RowsClose(ExtractAggregate(extract, aggregate, record),
                              ordinary, 1e-5));
      }
    }
  }
}

// Rows are scaled each on its own: a huge neighbour changes nothing.
TEST_P(NumericRangeTest, RowsOfVeryDifferentSizeDoNotMeet) {
  torch::manual_seed(3);
  const at::Tensor scale =
      at::tensor({1e-25F, 1.0F, 1e25F}).view({3, 1, 1, 1}).to(device());
  const at::Tensor x = at::randn({3, 6, 4, 5}).to(device());
  const at::Tensor g = at::randn({3, 6, 4, 5}).to(device());
  for (const Extract extract : kAllExtracts) {
    for (const Aggregate aggregate : kNorms) {
      const at::Tensor ordinary =
          ExtractAggregate(extract, aggregate, {x, g}).to(at::kDouble);
      EXPECT_TRUE(
          RowsClose(ExtractAggregate(extract, aggregate, {x, g * scale}),
                    ordinary * scale.squeeze(1).to(at::kDouble), 1e-5));
    }
  }
}

TEST_P(NumericRangeTest, RealConvolutionKeepsItsNormToo) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    SCOPED_TRACE(seed);
    ConvRecord record = RandomConv(seed, device());
    const at::Tensor ordinary = RealConvNorm(record).to(at::kDouble);
    record.output_gradient = record.output_gradient * 1e-22;
    record.input = record.input * 1e-10;
    ASSERT_TRUE(RowsClose(RealConvNorm(record), ordinary * 1e-32, 1e-5));
  }
}

// Far below the row's maximum, and still told apart.
TEST_P(NumericRangeTest, SmallPositionsBesideLargeOnesAreKept) {
  const at::Tensor g =
      at::tensor({1.0F, 1e-9F, 0.0F, 1e-12F}).view({1, 1, 1, 4}).to(device());
  EXPECT_TRUE(RowsClose(
      ExtractAggregate(Extract::kBias, Aggregate::kNorm, {g, g}).view({4, 1}),
      g.view({4, 1}), 1e-6));
}

}  // namespace
}  // namespace saliency::numeric_range_test
