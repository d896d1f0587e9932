// The CPU's kernel and the tensor operations that other devices run, against
// each other and against float64.

#include "core/attribution/channel_reductions.h"

#include <torch/script.h>

#include <limits>

#include "gtest/gtest.h"
#include "tests/attribution/random_records.h"
#include "tests/support/devices.h"
#include "tests/support/tensor_close.h"

namespace saliency::channel_reductions_test {
namespace {

constexpr Reduction kReductions[] = {
    Reduction::kSum,          Reduction::kNorm, Reduction::kPositiveNorm,
    Reduction::kNegativeNorm, Reduction::kMax,  Reduction::kMin,
    Reduction::kMaxAbs};

at::Tensor InDouble(Reduction reduction, const at::Tensor& tensor) {
  const at::Tensor values = tensor.to(at::kCPU, at::kDouble);
  switch (reduction) {
    case Reduction::kSum:
      return values.sum(1);
    case Reduction::kNorm:
      return values.square().sum(1).sqrt();
    case Reduction::kPositiveNorm:
      return values.relu().square().sum(1).sqrt();
    case Reduction::kNegativeNorm:
      return (-values).relu().square().sum(1).sqrt();
    case Reduction::kMax:
      return values.amax(1);
    case Reduction::kMin:
      return values.amin(1);
    case Reduction::kMaxAbs:
      return values.abs().amax(1);
  }
  return {};
}

class ChannelReductionsTest : public DeviceTest {
 protected:
  // Real networks' shapes: many channels, several blocks of positions, more
  // and fewer channels than lanes, in both layouts.
  std::vector<at::Tensor> Samples() {
    torch::manual_seed(1);
    std::vector<at::Tensor> samples;
    const int64_t shapes[][4] = {{2, 2048, 7, 7}, {1, 3, 60, 50},
                                 {2, 64, 56, 40}, {1, 15, 1, 1},
                                 {3, 17, 33, 32}, {1, 1, 40, 40}};
    for (const auto& shape : shapes) {
      const at::Tensor values = at::randn(shape).to(device());
      samples.push_back(values);
      samples.push_back(values.contiguous(at::MemoryFormat::ChannelsLast));
    }
    return samples;
  }
};
SALIENCY_INSTANTIATE_DEVICES(ChannelReductionsTest);

TEST_P(ChannelReductionsTest, BothPathsEqualFloat64) {
  for (const at::Tensor& values : Samples()) {
    for (const Reduction reduction : kReductions) {
      SCOPED_TRACE(testing::Message() << values.sizes() << " reduction "
                                      << static_cast<int>(reduction));
      const at::Tensor expected = InDouble(reduction, values);
      EXPECT_TRUE(RowsClose(ReduceChannels(reduction, values), expected, 2e-6));
      EXPECT_TRUE(
          RowsClose(ReduceByOperations(reduction, values), expected, 2e-6));
    }
  }
}

TEST_P(ChannelReductionsTest, ProductsOfMixedLayoutsEqualFloat64) {
  for (const at::Tensor& values : Samples()) {
    const at::Tensor other = values.flip(1);  // contiguous, whatever `values`
    for (const Reduction reduction : kReductions) {
      SCOPED_TRACE(testing::Message() << values.sizes() << " reduction "
                                      << static_cast<int>(reduction));
      const at::Tensor expected =
          InDouble(reduction, values.to(at::kDouble) * other.to(at::kDouble));
      EXPECT_TRUE(
          RowsClose(ReduceProduct(reduction, values, other), expected, 3e-6));
      EXPECT_TRUE(
          RowsClose(ReduceProduct(reduction, other, values), expected, 3e-6));
    }
  }
}

TEST_P(ChannelReductionsTest, NormsHoldOverTheRangeOfFloat32) {
  for (const at::Tensor& values : Samples()) {
    for (const double factor : {1e-37, 1e-25, 1e-13, 1e17, 1e30}) {
      for (const Reduction reduction :
           {Reduction::kNorm, Reduction::kPositiveNorm,
            Reduction::kNegativeNorm}) {
        SCOPED_TRACE(testing::Message() << values.sizes() << " x " << factor);
        const at::Tensor scaled = values * factor;
        const at::Tensor expected = InDouble(reduction, scaled);
        EXPECT_TRUE(
            RowsClose(ReduceChannels(reduction, scaled), expected, 1e-5));
        EXPECT_TRUE(
            RowsClose(ReduceByOperations(reduction, scaled), expected, 1e-5));
      }
    }
  }
}

// Also where it is the first, the last, or beyond the last full lane.
TEST_P(ChannelReductionsTest, NotANumberReachesItsPositionAndNoOther) {
  for (const int64_t channel : {0, 5, 16, 20}) {
    for (const double scale : {1.0, 1e-25}) {
      at::Tensor values = at::randn({1, 21, 3, 4}).to(device()) * scale;
      values[0][channel][1][2] = std::numeric_limits<float>::quiet_NaN();
      for (const at::Tensor& laid_out :
           {values, values.contiguous(at::MemoryFormat::ChannelsLast)}) {
        for (const Reduction reduction : kReductions) {
          SCOPED_TRACE(testing::Message()
                       << "channel " << channel << " reduction "
                       << static_cast<int>(reduction));
          const at::Tensor map = ReduceChannels(reduction, laid_out);
          EXPECT_TRUE(map[0][1][2].isnan().item<bool>());
          EXPECT_EQ(map.isfinite().sum().item<int64_t>(), 11);
          EXPECT_TRUE(ReduceByOperations(reduction, laid_out)
                          .isnan()
                          .any()
                          .item<bool>());
        }
      }
    }
  }
}

TEST_P(ChannelReductionsTest, InfinityIsNotFinite) {
  at::Tensor values = at::zeros({1, 4, 2, 2}).to(device());
  values[0][1][0][1] = std::numeric_limits<float>::infinity();
  for (const Reduction reduction :
       {Reduction::kSum, Reduction::kNorm, Reduction::kPositiveNorm,
        Reduction::kMax, Reduction::kMaxAbs}) {
    EXPECT_FALSE(
        ReduceChannels(reduction, values).isfinite().all().item<bool>())
        << static_cast<int>(reduction);
    EXPECT_FALSE(
        ReduceByOperations(reduction, values).isfinite().all().item<bool>())
        << static_cast<int>(reduction);
  }
}

TEST_P(ChannelReductionsTest, WeightedSumEqualsFloat64) {
  for (const at::Tensor& values : Samples()) {
    SCOPED_TRACE(testing::Message() << values.sizes());
    const at::Tensor weights =
        at::randn({values.size(0), values.size(1)}).to(device());
    const at::Tensor expected =
        (values.to(at::kDouble) *
         weights.to(at::kDouble).unsqueeze(2).unsqueeze(3))
            .sum(1);
    EXPECT_TRUE(RowsClose(WeightedChannelSum(values, weights), expected, 3e-6));
  }
}

}  // namespace
}  // namespace saliency::channel_reductions_test
