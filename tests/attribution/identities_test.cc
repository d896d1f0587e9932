// Facts of the paper that tie the methods to each other.

#include <torch/script.h>

#include <algorithm>
#include <utility>

#include "core/attribution/attribution.h"
#include "core/attribution/postprocess.h"
#include "gtest/gtest.h"
#include "tests/attribution/random_records.h"
#include "tests/support/devices.h"
#include "tests/support/tensor_close.h"

namespace saliency::identities_test {
namespace {

class IdentitiesTest : public DeviceTest {
 protected:
  at::Tensor Map(const char* method, const MethodContext& context) {
    return Attribution::Named(method).value().Attribute(context);
  }

  // The last feature map of a network that ends in global average pooling and
  // a linear layer: g = W_c / (H W) at every position.
  MethodContext BeforeGlobalPooling(uint64_t seed) {
    torch::manual_seed(seed);
    const at::Tensor x = at::randn({3, 12, 5, 7}).relu().to(device());
    const at::Tensor weights = at::randn({3, 12}).to(device());
    MethodContext context;
    context.layer = {
        .activation = x,
        .gradient = (weights / (5 * 7)).view({3, 12, 1, 1}).expand_as(x)};
    context.head_weights = weights;
    return context;
  }
};
SALIENCY_INSTANTIATE_DEVICES(IdentitiesTest);

TEST_P(IdentitiesTest, GradCamIsThePositivePartOfCamBeforeGlobalPooling) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    SCOPED_TRACE(seed);
    const MethodContext context = BeforeGlobalPooling(seed);
    EXPECT_TRUE(RowsClose(Map("grad_cam", context),
                          Map("cam", context).clamp_min(0) / 35, 1e-5));
  }
}

TEST_P(IdentitiesTest, LinearApproximationIsCamBeforeGlobalPooling) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    SCOPED_TRACE(seed);
    const MethodContext context = BeforeGlobalPooling(seed);
    const at::Tensor cam = Map("cam", context);
    EXPECT_TRUE(
        RowsClose(Map("linear_approximation", context), cam / 35, 1e-5));
    // and it is signed: no ReLU has come near it
    EXPECT_LT(Map("linear_approximation", context).min().item<float>(), 0);
  }
}

TEST_P(IdentitiesTest, GradientIsConstantBeforeGlobalPooling) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    SCOPED_TRACE(seed);
    const MethodContext context = BeforeGlobalPooling(seed);
    for (const char* method : {"gradient", "gradient_sum"}) {
      SCOPED_TRACE(method);
      // Resizing makes last-bit differences, which must stay invisible.
      const at::Tensor map = ResizeMaps(Map(method, context), 31, 22);
      for (const MapSummary& summary : SummariseMaps(map)) {
        EXPECT_TRUE(summary.constant);
        EXPECT_TRUE(summary.finite);
      }
      EXPECT_TRUE(Identical(NormaliseMaps(map), at::zeros_like(map)));
    }
  }
}

TEST_P(IdentitiesTest, NormGradIsTheSameForEveryClassBeforeGlobalPooling) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    SCOPED_TRACE(seed);
    MethodContext context = BeforeGlobalPooling(seed);
    for (const char* method : {"norm_grad", "norm_grad_conv3x3"}) {
      SCOPED_TRACE(method);
      const at::Tensor one = NormaliseMaps(Map(method, context));
      MethodContext other = context;
      other.layer.gradient = context.layer.gradient.flip(0) * -2.5;
      EXPECT_TRUE(RowsClose(NormaliseMaps(Map(method, other)), one, 1e-5));
    }
  }
}

TEST_P(IdentitiesTest, PresetsAreThePairsTheyStandFor) {
  struct Preset {
    const char* method;
    Extract extract;
    Aggregate aggregate;
  };
  constexpr Preset kPresets[] = {
      {"gradient", Extract::kBias, Aggregate::kMaxAbs},
      {"gradient_sum", Extract::kBias, Aggregate::kSum},
      {"linear_approximation", Extract::kScaling, Aggregate::kSum},
      {"norm_grad", Extract::kConv1x1, Aggregate::kNorm},
      {"selective_norm_grad", Extract::kScaling, Aggregate::kPositiveNorm},
      {"norm_grad_conv3x3", Extract::kConv3x3, Aggregate::kNorm},
  };
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    const MethodContext context = RandomContext(seed, device());
    for (const Preset& preset : kPresets) {
      SCOPED_TRACE(preset.method);
      EXPECT_TRUE(Identical(Map(preset.method, context),
                            Attribution::Pair(preset.extract, preset.aggregate)
                                .Attribute(context)));
    }
  }
}

// A virtual identity is the real convolution of its own shape.
TEST_P(IdentitiesTest, NormGradIsTheRealConvolutionOfTheIdentitysShape) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    MethodContext context = RandomContext(seed, device());
    context.conv = {.input = context.layer.activation,
                    .output_gradient = context.layer.gradient,
                    .geometry = {}};
    EXPECT_TRUE(RowsClose(Map("norm_grad", context),
                          Map("norm_grad_real_conv", context), 1e-5));
    context.conv->geometry = {
        .kernel = {3, 3}, .padding_before = {1, 1}, .padding_after = {1, 1}};
    EXPECT_TRUE(RowsClose(Map("norm_grad_conv3x3", context),
                          Map("norm_grad_real_conv", context), 1e-5));
    context.conv->geometry.groups = context.layer.activation.size(1);
    EXPECT_TRUE(
        RowsClose(Attribution::Pair(Extract::kDepthwise3x3, Aggregate::kNorm)
                      .Attribute(context),
                  Map("norm_grad_real_conv", context), 1e-5));
  }
}

// Of evidence that is nowhere negative: filtering changes nothing, and the sum
// of the products is at least their norm.
TEST_P(IdentitiesTest, PositiveEvidenceNeedsNoFilter) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    MethodContext context = RandomContext(seed, device());
    context.layer.activation = context.layer.activation.abs();
    context.layer.gradient = context.layer.gradient.abs();
    const at::Tensor sum = Map("linear_approximation", context);
    EXPECT_GE(sum.min().item<float>(), 0);
    for (const Extract extract : kAllExtracts) {
      SCOPED_TRACE(ExtractName(extract));
      const auto map = [&](Aggregate aggregate) {
        return Attribution::Pair(extract, aggregate).Attribute(context);
      };
      EXPECT_TRUE(RowsClose(map(Aggregate::kPositiveNorm),
                            map(Aggregate::kNorm), 1e-5));
      EXPECT_TRUE(
          RowsClose(map(Aggregate::kPositiveSum), map(Aggregate::kSum), 1e-6));
      EXPECT_TRUE(
          RowsClose(map(Aggregate::kMax), map(Aggregate::kMaxAbs), 1e-6));
      EXPECT_GE((map(Aggregate::kSum) * 1.00001 - map(Aggregate::kNorm))
                    .min()
                    .item<float>(),
                -1e-6);
    }
  }
}

// Where the gradient is the same at every position, what weighs positions by it
// weighs them alike.
TEST_P(IdentitiesTest, TheCamFamilyIsGradCamBeforeGlobalPooling) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    SCOPED_TRACE(seed);
    const MethodContext context = BeforeGlobalPooling(seed);
    const at::Tensor grad_cam = Map("grad_cam", context);
    EXPECT_TRUE(RowsClose(Map("hires_cam", context), grad_cam, 1e-5));
    EXPECT_TRUE(RowsClose(Map("xgrad_cam", context), grad_cam, 1e-4));
    MethodContext positive = context;
    positive.layer.gradient = context.layer.gradient.clamp_min(0);
    const at::Tensor of_positive = Map("grad_cam", positive);
    EXPECT_TRUE(RowsClose(Map("layer_cam", context), of_positive, 1e-5));
    // Activations are not negative here.
    EXPECT_TRUE(
        RowsClose(Map("grad_cam_elementwise", context), of_positive, 1e-5));
  }
}

TEST_P(IdentitiesTest, HiResCamIsTheLinearApproximationsPositivePart) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    SCOPED_TRACE(seed);
    const MethodContext context = RandomContext(seed, device());
    EXPECT_TRUE(RowsClose(Map("hires_cam", context),
                          Map("linear_approximation", context).clamp_min(0),
                          1e-6));
  }
}

// Value by value, in double.
TEST_P(IdentitiesTest, GradCamPlusPlusIsItsFormula) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    SCOPED_TRACE(seed);
    const MethodContext context = RandomContext(seed, device());
    const at::Tensor x = context.layer.activation.to(at::kCPU, at::kDouble);
    const at::Tensor g = context.layer.gradient.to(at::kCPU, at::kDouble);
    at::Tensor map = at::zeros({x.size(0), x.size(2), x.size(3)}, at::kDouble);
    for (int64_t b = 0; b < x.size(0); ++b) {
      for (int64_t k = 0; k < x.size(1); ++k) {
        const double total = x[b][k].sum().item<double>();
        const at::Tensor flat = g[b][k].flatten();
        double weight = 0;
        for (int64_t u = 0; u < flat.size(0); ++u) {
          const auto value = flat[u].item<double>();
          const double alpha =
              value * value /
              (2 * value * value + total * value * value * value + 1e-6);
          weight += std::max(value, 0.0) * alpha;
        }
        map[b] += weight * x[b][k];
      }
    }
    EXPECT_TRUE(RowsClose(Map("grad_cam_plus_plus", context).to(at::kCPU),
                          map.clamp_min(0).to(at::kFloat), 1e-4));
  }
}

// Against a decomposition of the whole matrix; both sides of its shape.
TEST_P(IdentitiesTest, EigenCamIsTheFirstSingularVectorsMap) {
  torch::manual_seed(3);
  for (const auto& [channels, side] : {std::pair{40, 4}, std::pair{6, 9}}) {
    SCOPED_TRACE(channels);
    const at::Tensor x = at::randn({2, channels, side, side}).to(device());
    MethodContext context;
    context.layer = {.activation = x, .gradient = at::ones_like(x)};
    const at::Tensor map = Map("eigen_cam", context);
    EXPECT_TRUE(RowsClose(Map("eigen_grad_cam", context), map, 1e-5));
    for (int64_t row = 0; row < 2; ++row) {
      const at::Tensor matrix = x[row].flatten(1).t().to(at::kDouble);
      const at::Tensor centred = matrix - matrix.mean(0, true);
      const auto [u, s, v] = at::linalg_svd(centred, false);
      const at::Tensor want = at::mv(centred, v[0]);
      const at::Tensor got = map[row].flatten().to(at::kDouble);
      const double same = (got - want).abs().max().item<double>();
      const double opposite = (got + want).abs().max().item<double>();
      EXPECT_LE(std::min(same, opposite),
                1e-5 * want.abs().max().item<double>());
      const at::Tensor strength = matrix.abs().sum(1);
      EXPECT_GE((got * (strength - strength.mean())).sum().item<double>(), 0);
    }
  }
}

// The positive and the negative contributions make up the whole norm.
TEST_P(IdentitiesTest, NormSplitsIntoThoseOfBothSigns) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    const MethodContext context = RandomContext(seed, device());
    MethodContext opposite = context;
    opposite.layer.gradient = -context.layer.gradient;
    for (const Extract extract : kAllExtracts) {
      SCOPED_TRACE(ExtractName(extract));
      const Attribution filtered =
          Attribution::Pair(extract, Aggregate::kPositiveNorm);
      const at::Tensor both =
          at::hypot(filtered.Attribute(context), filtered.Attribute(opposite));
      EXPECT_TRUE(RowsClose(
          both, Attribution::Pair(extract, Aggregate::kNorm).Attribute(context),
          1e-5));
    }
  }
}

}  // namespace
}  // namespace saliency::identities_test
