// What holds for every named method and every pair, also for those to come.

#include <torch/script.h>

#include <functional>
#include <limits>
#include <vector>

#include "core/attribution/attribution.h"
#include "core/attribution/postprocess.h"
#include "core/attribution/registry.h"
#include "gtest/gtest.h"
#include "tests/attribution/random_records.h"
#include "tests/support/devices.h"
#include "tests/support/tensor_close.h"

namespace saliency::method_properties_test {
namespace {

constexpr uint64_t kSeeds = 15;

std::vector<Attribution> AllAttributions() {
  std::vector<Attribution> all;
  for (const Method* method : AllMethods()) {
    all.push_back(Attribution::Named(method->name).value());
  }
  for (const Extract extract : kAllExtracts) {
    for (const Aggregate aggregate : kAllAggregates) {
      all.push_back(Attribution::Pair(extract, aggregate));
    }
  }
  return all;
}

using Change = std::function<at::Tensor(const at::Tensor&)>;

// What carries the score's sign and scale: gradients, and CAM's weights.
MethodContext WithGradients(MethodContext context, const Change& change) {
  context.layer.gradient = change(context.layer.gradient);
  context.conv->output_gradient = change(context.conv->output_gradient);
  context.head_weights = change(context.head_weights);
  return context;
}

MethodContext WithAll(MethodContext context, const Change& change) {
  context = WithGradients(std::move(context), change);
  context.layer.activation = change(context.layer.activation);
  context.conv->input = change(context.conv->input);
  return context;
}

class MethodPropertiesTest : public DeviceTest {
 protected:
  // Runs `check` on every attribution and on seeded contexts.
  void ForAll(const std::function<void(const Attribution&,
                                       const MethodContext&)>& check) {
    for (const Attribution& attribution : AllAttributions()) {
      SCOPED_TRACE(attribution.name());
      for (uint64_t seed = 0; seed < kSeeds; ++seed) {
        SCOPED_TRACE(seed);
        check(attribution, RandomContext(seed, device()));
        if (HasFatalFailure()) return;
      }
    }
  }
};
SALIENCY_INSTANTIATE_DEVICES(MethodPropertiesTest);

TEST_P(MethodPropertiesTest, MapsAreFloat32OnTheEvidencesDevice) {
  ForAll([&](const Attribution& attribution, const MethodContext& context) {
    const at::Tensor map = attribution.Attribute(context);
    const at::Tensor& grid =
        attribution.method_inputs() == MethodInputs::kRealConv
            ? context.conv->output_gradient
            : context.layer.gradient;
    ASSERT_EQ(map.scalar_type(), at::kFloat);
    ASSERT_EQ(map.device(), device());
    ASSERT_EQ(map.sizes(),
              at::IntArrayRef({grid.size(0), grid.size(2), grid.size(3)}));
    ASSERT_TRUE(map.isfinite().all().item<bool>());
    if (!attribution.is_signed()) {
      ASSERT_GE(map.min().item<float>(), 0);
    }
  });
}

TEST_P(MethodPropertiesTest, OrderOfChannelsDoesNotMatter) {
  ForAll([&](const Attribution& attribution, const MethodContext& context) {
    // Reversing is one permutation for all: it keeps a convolution's groups
    // together.
    const MethodContext reversed = WithAll(
        context, [](const at::Tensor& values) { return values.flip(1); });
    const at::Tensor map = attribution.Attribute(context);
    const double scale = map.abs().max().item<double>() + 1;
    ASSERT_LE((attribution.Attribute(reversed) - map).abs().max().item<float>(),
              1e-5 * scale);
  });
}

// What its formula keeps from being proportional to the gradient.
bool IsHomogeneous(const Attribution& attribution) {
  return attribution.method_inputs() != MethodInputs::kActivation &&
         attribution.name() != "grad_cam_plus_plus";
}

TEST_P(MethodPropertiesTest, PositiveFactorOfTheGradientScalesTheMap) {
  ForAll([&](const Attribution& attribution, const MethodContext& context) {
    if (!IsHomogeneous(attribution)) return;
    for (const double factor : {0.25, 3.0, 1e-9}) {
      const MethodContext scaled = WithGradients(
          context, [&](const at::Tensor& values) { return values * factor; });
      const at::Tensor map = attribution.Attribute(context);
      const double scale = map.abs().max().item<double>() + 1;
      const at::Tensor rescaled = attribution.Attribute(scaled) / factor;
      ASSERT_LE((rescaled - map).abs().max().item<float>(), 1e-5 * scale);
    }
  });
}

TEST_P(MethodPropertiesTest, RowOfABatchEqualsItsSingleRun) {
  ForAll([&](const Attribution& attribution, const MethodContext& context) {
    const at::Tensor batch = attribution.Attribute(context);
    for (int64_t row = 0; row < batch.size(0); ++row) {
      const MethodContext single =
          WithAll(context, [&](const at::Tensor& values) {
            return values.slice(0, row, row + 1);
          });
      const double scale = batch[row].abs().max().item<double>() + 1;
      ASSERT_LE((attribution.Attribute(single)[0] - batch[row])
                    .abs()
                    .max()
                    .item<float>(),
                2e-6 * scale);
    }
  });
}

TEST_P(MethodPropertiesTest, ZerosGiveZeros) {
  ForAll([&](const Attribution& attribution, const MethodContext& context) {
    const bool needs_gradient =
        attribution.method_inputs() != MethodInputs::kActivation;
    for (const bool activations_too : {false, true}) {
      if (!activations_too && !needs_gradient) continue;
      const auto change = [](const at::Tensor& values) {
        return at::zeros_like(values);
      };
      const at::Tensor map = attribution.Attribute(
          activations_too ? WithAll(context, change)
                          : WithGradients(context, change));
      ASSERT_TRUE(Identical(map, at::zeros_like(map)));
      ASSERT_TRUE(SummariseMaps(map)[0].constant);
      ASSERT_TRUE(Identical(NormaliseMaps(map), at::zeros_like(map)));
    }
  });
}

TEST_P(MethodPropertiesTest, NormalisedMapsLieBetweenZeroAndOne) {
  ForAll([&](const Attribution& attribution, const MethodContext& context) {
    const at::Tensor map =
        NormaliseMaps(ResizeMaps(attribution.Attribute(context), 9, 14));
    ASSERT_GE(map.min().item<float>(), 0);
    ASSERT_LE(map.max().item<float>(), 1);
  });
}

// One NaN among the evidence must reach the map, whatever maxima and positive
// parts it passes, or a broken model would answer with a plausible image.
TEST_P(MethodPropertiesTest, NotANumberIsNeverHidden) {
  const auto spoil = [](const at::Tensor& values) {
    at::Tensor result = values.contiguous().clone();
    result[0].flatten()[-1] = std::numeric_limits<float>::quiet_NaN();
    return result;
  };
  ForAll([&](const Attribution& attribution, const MethodContext& context) {
    const bool needs_gradient =
        attribution.method_inputs() != MethodInputs::kActivation;
    const MethodContext broken = needs_gradient ? WithGradients(context, spoil)
                                                : WithAll(context, spoil);
    const std::vector<MapSummary> summaries =
        SummariseMaps(attribution.Attribute(broken));
    ASSERT_FALSE(summaries[0].finite);
    for (size_t row = 1; row < summaries.size(); ++row) {
      ASSERT_TRUE(summaries[row].finite) << "neighbour " << row;
    }
  });
}

}  // namespace
}  // namespace saliency::method_properties_test
