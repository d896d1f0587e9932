#include "core/attribution/combine.h"

#include <torch/script.h>

#include <limits>
#include <numeric>
#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/devices.h"
#include "tests/support/naive_oracle.h"
#include "tests/support/tensor_close.h"

namespace saliency::combine_test {
namespace {

using testing::ElementsAre;

constexpr std::array kRules = {CombineRule::kSum, CombineRule::kProduct};
constexpr int64_t kHeight = 11;
constexpr int64_t kWidth = 14;

CombinationWeights Explicit(const std::vector<double>& gamma) {
  return CombinationWeights::Create(Weighting::kExplicit,
                                    static_cast<int>(gamma.size()), gamma)
      .value();
}

class CombineTest : public DeviceTest {
 protected:
  // Maps of `rows` rows at `layers` resolutions, signed, of very different
  // magnitudes.
  std::vector<at::Tensor> RandomLayers(uint64_t seed, int layers,
                                       int64_t rows = 2) {
    torch::manual_seed(seed);
    std::mt19937_64 random(seed);
    std::vector<at::Tensor> maps;
    for (int j = 0; j < layers; ++j) {
      const int64_t height = 2 + static_cast<int64_t>(random() % 9);
      const int64_t width = 2 + static_cast<int64_t>(random() % 9);
      const double scale = std::pow(10.0, static_cast<int>(random() % 13) - 6);
      maps.push_back((at::randn({rows, height, width}) * scale).to(device()));
    }
    return maps;
  }

  static std::vector<double> RandomGamma(uint64_t seed, int layers) {
    std::mt19937_64 random(seed);
    std::uniform_real_distribution<double> uniform(0.05, 1);
    std::vector<double> gamma;
    for (int j = 0; j < layers; ++j) gamma.push_back(uniform(random));
    return gamma;
  }

  static at::Tensor Maps(const std::vector<at::Tensor>& layers,
                         const CombinationWeights& weights, CombineRule rule) {
    return CombineLayers(layers, kHeight, kWidth, weights, rule).maps;
  }

  at::Tensor Constant(float value, int64_t rows = 2) {
    return at::full({rows, 4, 4}, value).to(device());
  }
};
SALIENCY_INSTANTIATE_DEVICES(CombineTest);

TEST_P(CombineTest, EqualsTheSumByHand) {
  for (uint64_t seed = 0; seed < 12; ++seed) {
    SCOPED_TRACE(seed);
    const int layers = 1 + static_cast<int>(seed % 5);
    const std::vector<at::Tensor> maps = RandomLayers(seed, layers);
    const CombinationWeights weights = Explicit(RandomGamma(seed, layers));
    EXPECT_TRUE(
        RowsClose(Maps(maps, weights, CombineRule::kSum),
                  oracle::CombineLayers(maps, kHeight, kWidth, weights.values(),
                                        CombineRule::kSum),
                  1e-5));
  }
}

// m^w has infinite slope at 0, where interpolation leaves the last bit of a
// layer's smallest value: maps that need none are compared at every pixel.
TEST_P(CombineTest, EqualsTheProductByHand) {
  for (uint64_t seed = 0; seed < 12; ++seed) {
    SCOPED_TRACE(seed);
    const int layers = 1 + static_cast<int>(seed % 5);
    std::vector<at::Tensor> maps = RandomLayers(seed, layers);
    for (at::Tensor& map : maps) map = ResizeMaps(map, kHeight, kWidth);
    const CombinationWeights weights = Explicit(RandomGamma(seed, layers));
    EXPECT_TRUE(
        RowsClose(Maps(maps, weights, CombineRule::kProduct),
                  oracle::CombineLayers(maps, kHeight, kWidth, weights.values(),
                                        CombineRule::kProduct),
                  1e-4));
  }
}

TEST_P(CombineTest, AProductOfResizedMapsIsTheSameButForItsSmallestPixels) {
  for (uint64_t seed = 0; seed < 12; ++seed) {
    SCOPED_TRACE(seed);
    const std::vector<at::Tensor> maps = RandomLayers(seed, 3, /*rows=*/1);
    const CombinationWeights weights = Explicit(RandomGamma(seed, 3));
    const at::Tensor expected = oracle::CombineLayers(
        maps, kHeight, kWidth, weights.values(), CombineRule::kProduct);
    const at::Tensor error =
        (Maps(maps, weights, CombineRule::kProduct).cpu() - expected).abs();
    const auto far = (error > 1e-4).sum().item<int64_t>();
    EXPECT_LE(far, 2 * 3) << "more than the minima of the layers";
  }
}

TEST_P(CombineTest, OneHotWeightsReturnThatLayer) {
  for (uint64_t seed = 0; seed < 8; ++seed) {
    const std::vector<at::Tensor> maps = RandomLayers(seed, 4);
    for (std::size_t hot = 0; hot < 4; ++hot) {
      std::vector<double> gamma(4, 0.0);
      gamma[hot] = 0.3;
      const at::Tensor expected =
          NormaliseMaps(ResizeMaps(maps[hot], kHeight, kWidth));
      for (const CombineRule rule : kRules) {
        SCOPED_TRACE(testing::Message() << seed << " layer " << hot);
        EXPECT_TRUE(Identical(Maps(maps, Explicit(gamma), rule), expected));
      }
    }
  }
}

TEST_P(CombineTest, OneLayerIsItself) {
  const std::vector<at::Tensor> maps = RandomLayers(3, 1);
  for (const Weighting weighting : {Weighting::kUniform, Weighting::kLinear}) {
    for (const CombineRule rule : kRules) {
      EXPECT_TRUE(Identical(
          Maps(maps, CombinationWeights::Create(weighting, 1).value(), rule),
          NormaliseMaps(ResizeMaps(maps[0], kHeight, kWidth))));
    }
  }
}

TEST_P(CombineTest, LayerOrderDoesNotMatterButForLinear) {
  const std::vector<int> order = {2, 0, 3, 1};
  for (uint64_t seed = 0; seed < 8; ++seed) {
    SCOPED_TRACE(seed);
    const std::vector<at::Tensor> maps = RandomLayers(seed, 4);
    const std::vector<double> gamma = RandomGamma(seed, 4);
    std::vector<at::Tensor> turned;
    std::vector<double> turned_gamma;
    for (const int j : order) {
      turned.push_back(maps[j]);
      turned_gamma.push_back(gamma[j]);
    }
    const auto uniform =
        CombinationWeights::Create(Weighting::kUniform, 4).value();
    const auto linear =
        CombinationWeights::Create(Weighting::kLinear, 4).value();
    for (const CombineRule rule : kRules) {
      EXPECT_TRUE(RowsClose(Maps(turned, uniform, rule),
                            Maps(maps, uniform, rule), 1e-5));
      EXPECT_TRUE(RowsClose(Maps(turned, Explicit(turned_gamma), rule),
                            Maps(maps, Explicit(gamma), rule), 1e-5));
      EXPECT_FALSE(RowsClose(Maps(turned, linear, rule),
                             Maps(maps, linear, rule), 1e-2));
    }
  }
}

TEST_P(CombineTest, IdenticalMapsCombineToThatMap) {
  for (uint64_t seed = 0; seed < 8; ++seed) {
    const at::Tensor map = RandomLayers(seed, 1)[0];
    const at::Tensor expected = NormaliseMaps(ResizeMaps(map, kHeight, kWidth));
    for (const CombineRule rule : kRules) {
      SCOPED_TRACE(testing::Message() << seed << " " << CombineRuleName(rule));
      const at::Tensor combined =
          Maps({map, map, map}, Explicit(RandomGamma(seed, 3)), rule);
      EXPECT_TRUE(RowsClose(combined, expected, 1e-5));
    }
  }
}

TEST_P(CombineTest, StaysBetweenZeroAndOneAndIsNotStretchedAgain) {
  bool below_one = false;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const int layers = 2 + static_cast<int>(seed % 6);
    const std::vector<at::Tensor> maps = RandomLayers(seed, layers);
    for (const CombineRule rule : kRules) {
      SCOPED_TRACE(testing::Message() << seed << " " << CombineRuleName(rule));
      const at::Tensor combined =
          Maps(maps, Explicit(RandomGamma(seed, layers)), rule);
      EXPECT_GE(combined.min().item<float>(), 0);
      EXPECT_LE(combined.max().item<float>(), 1);
      below_one = below_one || combined.max().item<float>() < 0.99F;
    }
  }
  EXPECT_TRUE(below_one);
}

TEST_P(CombineTest, ScaleAndOffsetOfALayerDoNotMatter) {
  const std::vector<at::Tensor> maps = RandomLayers(5, 3);
  const std::vector<at::Tensor> moved = {maps[0] * 1e-7, maps[1] * 64.0,
                                         maps[2]};
  const CombinationWeights weights = Explicit({1, 2, 3});
  for (const CombineRule rule : kRules) {
    EXPECT_TRUE(
        RowsClose(Maps(moved, weights, rule), Maps(maps, weights, rule), 1e-4));
  }
}

TEST_P(CombineTest, RowsOfABatchAreAsSingles) {
  const std::vector<at::Tensor> maps = RandomLayers(9, 3, /*rows=*/5);
  const CombinationWeights weights = Explicit({0.2, 0.3, 0.5});
  for (const CombineRule rule : kRules) {
    const at::Tensor all = Maps(maps, weights, rule);
    for (int64_t row = 0; row < 5; ++row) {
      std::vector<at::Tensor> single;
      for (const at::Tensor& map : maps)
        single.push_back(map.narrow(0, row, 1));
      EXPECT_TRUE(
          RowsClose(all.narrow(0, row, 1), Maps(single, weights, rule), 1e-6))
          << "row " << row;
    }
  }
}

TEST_P(CombineTest, AConstantLayerIsLeftOutAndItsWeightShared) {
  std::vector<at::Tensor> maps = RandomLayers(1, 3);
  const std::vector<at::Tensor> others = {maps[0], maps[2]};
  // Constant in row 1 alone, but for rounding.
  maps[1][1].fill_(2.5F);
  maps[1][1][0][0] += 1e-6F;
  for (const CombineRule rule : kRules) {
    const CombinedMaps combined =
        CombineLayers(maps, kHeight, kWidth, Explicit({0.2, 0.5, 0.3}), rule);
    EXPECT_THAT(combined.rows[0].constant, ElementsAre(false, false, false));
    EXPECT_THAT(combined.rows[1].constant, ElementsAre(false, true, false));
    EXPECT_THAT(combined.rows[0].weights, ElementsAre(0.2, 0.5, 0.3));
    EXPECT_THAT(combined.rows[1].weights,
                ElementsAre(testing::DoubleEq(0.4), 0, testing::DoubleEq(0.6)));
    EXPECT_TRUE(Identical(combined.maps[1],
                          Maps(others, Explicit({0.4, 0.6}), rule)[1]));
  }
}

TEST_P(CombineTest, NothingButConstantsGivesZeros) {
  for (const CombineRule rule : kRules) {
    const CombinedMaps combined =
        CombineLayers({Constant(3), Constant(0)}, kHeight, kWidth,
                      Explicit({0.4, 0.6}), rule);
    EXPECT_TRUE(
        Identical(combined.maps, at::zeros({2, kHeight, kWidth}).to(device())));
    EXPECT_THAT(combined.rows[0].constant, ElementsAre(true, true));
    EXPECT_THAT(combined.rows[0].weights, ElementsAre(0, 0));
    EXPECT_EQ(combined.rows[0].non_finite, std::nullopt);
  }
}

TEST_P(CombineTest, AllWeightOnAConstantLayerGivesZeros) {
  const std::vector<at::Tensor> maps = {RandomLayers(2, 1)[0], Constant(7)};
  for (const CombineRule rule : kRules) {
    const CombinedMaps combined =
        CombineLayers(maps, kHeight, kWidth, Explicit({0, 1}), rule);
    EXPECT_EQ(combined.maps.abs().max().item<float>(), 0);
    EXPECT_THAT(combined.rows[0].weights, ElementsAre(0, 0));
  }
}

TEST_P(CombineTest, ALayerThatIsNotFiniteSpoilsItsRowAlone) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(),
                          std::numeric_limits<float>::infinity()}) {
    std::vector<at::Tensor> maps = RandomLayers(4, 3);
    const CombinationWeights weights = Explicit({1, 1, 2});
    for (const CombineRule rule : kRules) {
      const at::Tensor expected = Maps(maps, weights, rule);
      std::vector<at::Tensor> spoiled = maps;
      spoiled[1] = maps[1].clone();
      spoiled[1][0][0][0] = bad;
      const CombinedMaps combined =
          CombineLayers(spoiled, kHeight, kWidth, weights, rule);
      EXPECT_EQ(combined.rows[0].non_finite, 1);
      EXPECT_TRUE(combined.maps[0].isnan().all().item<bool>());
      EXPECT_EQ(combined.rows[1].non_finite, std::nullopt);
      EXPECT_TRUE(Identical(combined.maps[1], expected[1]));
    }
  }
}

TEST_P(CombineTest, ALayerOfWeightZeroTakesNoPartWhateverItHolds) {
  std::vector<at::Tensor> maps = RandomLayers(6, 3);
  const std::vector<at::Tensor> others = {maps[0], maps[2]};
  maps[1].fill_(std::numeric_limits<float>::quiet_NaN());
  for (const CombineRule rule : kRules) {
    const CombinedMaps combined =
        CombineLayers(maps, kHeight, kWidth, Explicit({1, 0, 3}), rule);
    EXPECT_EQ(combined.rows[0].non_finite, std::nullopt);
    EXPECT_TRUE(Identical(combined.maps, Maps(others, Explicit({1, 3}), rule)));
  }
}

TEST_P(CombineTest, InputsAreNotModified) {
  const std::vector<at::Tensor> maps = RandomLayers(8, 3);
  std::vector<at::Tensor> copies;
  for (const at::Tensor& map : maps) copies.push_back(map.clone());
  for (const CombineRule rule : kRules) Maps(maps, Explicit({1, 2, 3}), rule);
  for (std::size_t j = 0; j < maps.size(); ++j) {
    EXPECT_TRUE(Identical(maps[j], copies[j]));
  }
}

}  // namespace
}  // namespace saliency::combine_test
