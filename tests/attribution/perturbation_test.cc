#include "core/attribution/perturbation.h"

#include <ATen/ATen.h>

#include <cmath>
#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace saliency::perturbation_test {
namespace {

using ::testing::HasSubstr;

TEST(OcclusionWindowsTest, EachPixelLiesInAsManyWindowsAsTheCoverageSays) {
  const Occlusion cases[] = {
      {.patch_size = 4, .stride = 2}, {.patch_size = 4, .stride = 4},
      {.patch_size = 5, .stride = 3}, {.patch_size = 1, .stride = 1},
      {.patch_size = 7, .stride = 7}, {}};
  for (const Occlusion& method : cases) {
    for (const auto& [height, width] : {std::pair{16, 24}, std::pair{9, 7}}) {
      const OcclusionWindows windows(method, height, width);
      at::Tensor covered = at::zeros({height, width}, at::kDouble);
      for (int64_t w = 0; w < windows.count(); ++w) {
        covered += windows.Window(w);
      }
      EXPECT_TRUE(at::equal(covered, windows.Coverage()));
      EXPECT_GE(covered.min().item<double>(), 1);
      EXPECT_EQ(windows.count(), SampleCount(method, height, width));
    }
  }
}

TEST(OcclusionWindowsTest, TheWindowsOf16By24InStepsOf8AreTilesInOrder) {
  const OcclusionWindows windows({.patch_size = 8, .stride = 8}, 16, 24);
  ASSERT_EQ(windows.count(), 6);
  at::Tensor fifth = at::zeros({16, 24});
  fifth.slice(0, 8, 16).slice(1, 8, 16).fill_(1);
  EXPECT_TRUE(at::equal(windows.Window(4), fifth));
}

TEST(OcclusionTest, ThePatchIsAnEighthOfTheShorterSideAndTheStrideHalfOfIt) {
  EXPECT_EQ(OcclusionPatch({}, 224, 320), 28);
  EXPECT_EQ(OcclusionStride({}, 224, 320), 14);
  EXPECT_EQ(OcclusionPatch({}, 5, 5), 1);
  EXPECT_EQ(OcclusionStride({}, 5, 5), 1);
  EXPECT_EQ(OcclusionStride({.patch_size = 9}, 224, 224), 4);
}

TEST(OcclusionTest, APatchLargerThanTheInputIsRefusedByName) {
  const auto why = [](const Occlusion& method) {
    return std::string(CheckSamplingFits(method, 32, 48).message());
  };
  EXPECT_EQ(why({}), "");
  EXPECT_EQ(why({.patch_size = 32, .stride = 32}), "");
  EXPECT_THAT(why({.patch_size = 33}),
              HasSubstr("occlusion.patch_size: 33 not in [1, 32]"));
  EXPECT_THAT(why({.stride = 5}),
              HasSubstr("occlusion.stride: 5 not in [1, 4]"));
}

TEST(RiseMaskTest, APixelIsLeftWithTheProbabilityOfItsCell) {
  const Rise method = {.cells = 5, .keep_probability = 0.3, .seed = 4};
  constexpr int kMasks = 4000;
  at::Tensor sum = at::zeros({33, 47}, at::kDouble);
  for (int m = 0; m < kMasks; ++m) {
    const at::Tensor mask = RiseMask(method, m, 33, 47);
    ASSERT_EQ(mask.sizes(), at::IntArrayRef({33, 47}));
    ASSERT_GE(mask.min().item<float>(), 0);
    ASSERT_LE(mask.max().item<float>(), 1);
    sum += mask;
  }
  // Five standard errors of a share of 4000 draws.
  const double apart = (sum / kMasks - 0.3).abs().max().item<double>();
  EXPECT_LT(apart, 5 * std::sqrt(0.3 * 0.7 / kMasks));
}

TEST(RiseMaskTest, SeedAndNumberDecide) {
  const Rise method = {.seed = 1};
  const at::Tensor mask = RiseMask(method, 3, 32, 32);
  EXPECT_TRUE(at::equal(mask, RiseMask(method, 3, 32, 32)));
  EXPECT_FALSE(at::equal(mask, RiseMask(method, 4, 32, 32)));
  EXPECT_FALSE(at::equal(mask, RiseMask({.seed = 2}, 3, 32, 32)));
}

TEST(PerturbationTest, FieldsOutOfRangeAreNamedWithValueAndLimit) {
  const auto why = [](const Sampling& sampling) {
    return std::string(CheckSampling(sampling).message());
  };
  EXPECT_EQ(why(Occlusion{}), "");
  EXPECT_EQ(why(Rise{}), "");
  EXPECT_EQ(why(Lime{}), "");
  EXPECT_EQ(why(KernelShap{}), "");
  EXPECT_EQ(why(Lime{.samples = 1}), "samples: 1 not in [2, 20000]");
  EXPECT_EQ(why(Lime{.segments = 257}), "segments: 257 not in [2, 256]");
  EXPECT_EQ(why(Lime{.compactness = 0}), "compactness: 0 not in [0.01, 1000]");
  EXPECT_EQ(why(Lime{.ridge = -1}), "ridge: -1 not in [0, 1e+06]");
  EXPECT_EQ(why(Lime{.kernel_width = 0}), "kernel_width: 0 not in [0.01, 100]");
  EXPECT_EQ(why(KernelShap{.samples = 20001}),
            "samples: 20001 not in [2, 20000]");
  EXPECT_EQ(why(KernelShap{.segments = 1}), "segments: 1 not in [2, 256]");
  EXPECT_EQ(why(Occlusion{.patch_size = 0}), "patch_size: 0 not in [1, 4096]");
  EXPECT_EQ(why(Occlusion{.patch_size = 8, .stride = 9}),
            "stride: 9 not in [1, 8]");
  EXPECT_EQ(why(Rise{.masks = 0}), "masks: 0 not in [1, 20000]");
  EXPECT_EQ(why(Rise{.cells = 1}), "cells: 1 not in [2, 64]");
  EXPECT_EQ(why(Rise{.keep_probability = 1}),
            "keep_probability: 1 not in [0.01, 0.99]");
}

}  // namespace
}  // namespace saliency::perturbation_test
