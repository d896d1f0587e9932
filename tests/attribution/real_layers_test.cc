// Real layers (no virtual identity): their norms, and the paper's eq. 2 and 3,
// that contributions add up to what autograd calls the gradient of the weight.

#include <torch/csrc/autograd/autograd.h>
#include <torch/script.h>

#include "core/attribution/extract_aggregate.h"
#include "core/attribution/registry.h"
#include "gtest/gtest.h"
#include "tests/attribution/random_records.h"
#include "tests/support/devices.h"
#include "tests/support/naive_oracle.h"
#include "tests/support/tensor_close.h"

namespace saliency::real_layers_test {
namespace {

class RealConvTest : public DeviceTest {};
SALIENCY_INSTANTIATE_DEVICES(RealConvTest);

TEST_P(RealConvTest, NormEqualsTheUnfoldedOuterProduct) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    const ConvRecord record = RandomConv(seed, device());
    const at::Tensor expected =
        oracle::RealConvContribution(record).flatten(3).square().sum(-1).sqrt();
    ASSERT_TRUE(RowsClose(RealConvNorm(record), expected, 1e-5));
  }
}

struct NamedGeometry {
  const char* name;
  int64_t in;
  int64_t out;
  ConvGeometry geometry;
};

// What models are made of, by name; the random ones above mix everything.
const NamedGeometry kGeometries[] = {
    {"1x1", 4, 6, {}},
    {"3x3 same", 4, 6, {{3, 3}, {1, 1}, {1, 1}, {1, 1}}},
    {"7x7 stride 2", 3, 8, {{7, 7}, {2, 2}, {3, 3}, {3, 3}}},
    {"1x1 stride 2", 4, 6, {{1, 1}, {2, 2}}},
    {"dilated", 4, 6, {{3, 3}, {1, 1}, {2, 2}, {2, 2}, {2, 2}}},
    {"depthwise", 6, 6, {{3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, 6}},
    {"depthwise, multiplier 2",
     4,
     8,
     {{3, 3}, {2, 2}, {1, 1}, {1, 1}, {1, 1}, 4}},
    {"groups", 6, 9, {{3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, 3}},
    {"even kernel, same", 4, 6, {{4, 2}, {1, 1}, {1, 0}, {2, 1}}},
    {"1x7", 4, 6, {{1, 7}, {1, 1}, {0, 3}, {0, 3}}},
};

TEST(RealLayerTest, ContributionsSumToAutogradsWeightGradient) {
  for (const NamedGeometry& c : kGeometries) {
    SCOPED_TRACE(c.name);
    torch::manual_seed(11);
    const ConvGeometry& geometry = c.geometry;
    const at::Tensor x = at::randn({2, c.in, 11, 8}, at::kDouble);
    const at::Tensor weight =
        at::randn({c.out, c.in / geometry.groups, geometry.kernel[0],
                   geometry.kernel[1]},
                  at::kDouble)
            .requires_grad_();
    const at::Tensor padded = at::constant_pad_nd(
        x, {geometry.padding_before[1], geometry.padding_after[1],
            geometry.padding_before[0], geometry.padding_after[0]});
    const at::Tensor y = at::conv2d(
        padded, weight, /*bias=*/{}, geometry.stride,
        /*padding=*/at::IntArrayRef{0, 0}, geometry.dilation, geometry.groups);
    const at::Tensor g = at::randn_like(y);
    const at::Tensor weight_gradient =
        torch::autograd::grad({y}, {weight}, {g})[0];
    const ConvRecord record = {.input = x.to(at::kFloat),
                               .output_gradient = g.to(at::kFloat),
                               .geometry = geometry};
    const at::Tensor contribution = oracle::RealConvContribution(record);
    EXPECT_TRUE(RowsClose(contribution.sum({0, 1, 2}), weight_gradient, 1e-5));
    EXPECT_TRUE(RowsClose(RealConvNorm(record),
                          contribution.flatten(3).square().sum(-1).sqrt(),
                          1e-5));
  }
}

// A virtual identity is a real layer: the sum over u of its contributions is
// the gradient of its weight, here at a convolution that is the identity.
TEST(VirtualIdentityTest, ContributionsSumToAutogradsWeightGradient) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    const LayerRecord record = RandomLayer(seed, c10::kCPU);
    const at::Tensor x = record.activation.to(at::kDouble);
    const at::Tensor g = record.gradient.to(at::kDouble);
    const int64_t channels = x.size(1);
    const auto check = [&](Extract extract, const at::Tensor& identity,
                           int64_t groups) {
      SCOPED_TRACE(ExtractName(extract));
      const at::Tensor weight = identity.to(at::kDouble).requires_grad_();
      const int64_t padding = identity.size(2) / 2;
      const at::Tensor y = at::conv2d(x, weight, {}, 1, padding, 1, groups);
      ASSERT_TRUE(RowsClose(y, x, 1e-12));
      at::Tensor expected = torch::autograd::grad({y}, {weight}, {g})[0];
      if (extract == Extract::kConv3x3 || extract == Extract::kConv1x1) {
        expected = expected.permute({1, 2, 3, 0});  // [Kin,kh,kw,Kout]
      }
      const at::Tensor sum =
          oracle::Contribution(extract, record).sum({0, 1, 2});
      ASSERT_TRUE(RowsClose(sum, expected.flatten(), 1e-5));
    };
    const at::Tensor eye = at::eye(channels).view({channels, channels, 1, 1});
    check(Extract::kConv1x1, eye, 1);
    check(Extract::kConv3x3, at::constant_pad_nd(eye, {1, 1, 1, 1}), 1);
    check(Extract::kDepthwise3x3,
          at::constant_pad_nd(at::ones({channels, 1, 1, 1}), {1, 1, 1, 1}),
          channels);
  }
}

TEST(RealBatchNormTest, ContributionsSumToAutogradsGradients) {
  torch::manual_seed(5);
  const at::Tensor x = at::randn({3, 6, 5, 4}, at::kDouble);
  const at::Tensor mean = at::randn({6}, at::kDouble);
  const at::Tensor variance = at::rand({6}, at::kDouble) + 0.5;
  const at::Tensor scale = at::randn({6}, at::kDouble).requires_grad_();
  const at::Tensor bias = at::randn({6}, at::kDouble).requires_grad_();
  constexpr double kEpsilon = 1e-5;
  const at::Tensor y = at::batch_norm(x, scale, bias, mean, variance,
                                      /*training=*/false, /*momentum=*/0.1,
                                      kEpsilon, /*cudnn_enabled=*/false);
  const at::Tensor g = at::randn_like(y);
  const auto gradients = torch::autograd::grad({y}, {scale, bias}, {g});
  const at::Tensor normalised = (x - mean.view({1, 6, 1, 1})) /
                                (variance + kEpsilon).sqrt().view({1, 6, 1, 1});

  MethodContext context;
  context.layer = {.activation = normalised.to(at::kFloat),
                   .gradient = g.to(at::kFloat)};
  const at::Tensor scale_part =
      oracle::Contribution(Extract::kScaling, context.layer);
  const at::Tensor bias_part =
      oracle::Contribution(Extract::kBias, context.layer);
  EXPECT_TRUE(RowsClose(scale_part.sum({0, 1, 2}), gradients[0], 1e-5));
  EXPECT_TRUE(RowsClose(bias_part.sum({0, 1, 2}), gradients[1], 1e-5));
  const auto map = [&](absl::string_view method) {
    return FindMethod(method).value()->attribute(context);
  };
  EXPECT_TRUE(RowsClose(map("batch_norm_scale"),
                        scale_part.square().sum(-1).sqrt(), 1e-5));
  EXPECT_TRUE(RowsClose(map("batch_norm_bias"),
                        bias_part.square().sum(-1).sqrt(), 1e-5));
}

}  // namespace
}  // namespace saliency::real_layers_test
