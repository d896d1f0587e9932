// What stands behind a convolution, in every memory order, held against the
// formula in float64.

#include "core/kernels/per_sample_affine.h"

#include <ATen/ATen.h>

#include <vector>

#include "gtest/gtest.h"
#include "tests/support/devices.h"
#include "tests/support/tensor_close.h"

namespace saliency::per_sample_affine_test {
namespace {

constexpr double kRounding = 1e-6;
// Sums over all positions.
constexpr double kSumRounding = 1e-5;

const at::MemoryFormat kOrders[] = {at::MemoryFormat::ChannelsLast,
                                    at::MemoryFormat::Contiguous};

// Fewer positions than a block of sums, and more than one.
const std::vector<std::vector<int64_t>> kSizes = {
    {2, 5, 3, 4}, {3, 7, 37, 41}, {1, 2, 1, 1}};

class PerSampleAffineTest : public DeviceTest {
 protected:
  at::Tensor Random(at::IntArrayRef sizes) const {
    return at::randn(sizes, at::kFloat).to(device());
  }
};
SALIENCY_INSTANTIATE_DEVICES(PerSampleAffineTest);

at::Tensor Beside(const at::Tensor& values) {
  return values.to(at::kDouble).unsqueeze(-1).unsqueeze(-1);
}

// Runs `check` with and without each of four parts, of every size and order.
template <typename Check>
void ForEach(const Check& check) {
  for (const auto& sizes : kSizes) {
    for (const at::MemoryFormat order : kOrders) {
      for (int parts = 0; parts < 16; ++parts) {
        SCOPED_TRACE(testing::Message()
                     << sizes[2] << " x " << sizes[3] << ", order "
                     << static_cast<int>(order) << ", parts " << parts);
        check(sizes, order, parts);
      }
    }
  }
}

TEST_P(PerSampleAffineTest, AppliesScaleShiftResidualAndRelu) {
  ForEach([&](const std::vector<int64_t>& sizes, at::MemoryFormat order,
              int parts) {
    const at::Tensor x = Random(sizes).contiguous(order);
    PerSampleAffine affine;
    at::Tensor expected = x.to(at::kDouble);
    if (parts & 1) {
      affine.scale = Random({1, sizes[1]});  // for all rows
      expected = expected * Beside(affine.scale);
    }
    if (parts & 2) {
      affine.shift = Random({sizes[0], sizes[1]});
      expected = expected + Beside(affine.shift);
    }
    if (parts & 4) {
      affine.residual = Random(sizes);  // in NCHW order, whatever x is
      expected = expected + affine.residual;
    }
    affine.relu = (parts & 8) != 0;
    if (affine.relu) expected = expected.relu();
    const at::Tensor out = at::empty_like(x);
    ApplyPerSampleAffine(x, affine, out);
    EXPECT_TRUE(RowsClose(out, expected, kRounding));
    const at::Tensor itself = x.clone();
    ApplyPerSampleAffine(itself, affine, itself);
    EXPECT_TRUE(Identical(itself, out));
  });
}

TEST_P(PerSampleAffineTest, GoesBackWithTheSums) {
  ForEach([&](const std::vector<int64_t>& sizes, at::MemoryFormat order,
              int parts) {
    PerSampleAffineBackward way = {.gradient = Random(sizes).contiguous(order)};
    at::Tensor after = way.gradient.to(at::kDouble);
    if (parts & 1) {
      way.output = Random(sizes).relu().contiguous(order);
      after = after * (way.output > 0);
    }
    at::Tensor before = after;
    if (parts & 2) {
      way.scale = Random({sizes[0], sizes[1]});
      before = after * Beside(way.scale);
    }
    way.wants_after_scale = way.wants_sum = (parts & 4) != 0;
    at::Tensor product;
    if (parts & 8) {
      way.product = Random(sizes).contiguous(order);
      product = way.product.to(at::kDouble);
      if (parts & 4) {
        way.product_minus = Random(sizes);
        product = product - way.product_minus;
      }
    }
    const PerSampleAffineGradient back = BackwardPerSampleAffine(way);
    EXPECT_TRUE(RowsClose(back.before_scale, before, kRounding));
    EXPECT_EQ(back.after_scale.defined(), way.wants_after_scale);
    if (way.wants_after_scale) {
      EXPECT_TRUE(RowsClose(back.after_scale, after, kRounding));
    }
    if (way.wants_sum) {
      EXPECT_TRUE(RowsClose(back.sum, after.sum({2, 3}), kSumRounding));
    }
    EXPECT_EQ(back.product_sum.defined(), product.defined());
    if (product.defined()) {
      EXPECT_TRUE(RowsClose(back.product_sum, (after * product).sum({2, 3}),
                            kSumRounding));
    }
  });
}

}  // namespace
}  // namespace saliency::per_sample_affine_test
