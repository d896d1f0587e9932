// The golden combinations of layers and rank correlations, on scripted and
// traced networks.  Those of methods with a backward rule of their own, and of
// maps after a meta step, are not looked at here.

#include <cstdio>
#include <optional>
#include <tuple>

#include "ATen/ATen.h"
#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "core/attribution/attribution.h"
#include "core/attribution/combine.h"
#include "core/attribution/measures.h"
#include "core/model/probed_model.h"
#include "gtest/gtest.h"
#include "tests/model/golden_model.h"
#include "tests/support/golden.h"

namespace saliency::golden_combine_test {
namespace {

// Our name of a reference's method; nullopt: not one of these.
std::optional<Attribution> AttributionFor(absl::string_view reference) {
  const std::pair<absl::string_view, absl::string_view> names[] = {
      {"gradient", "gradient"},
      {"gradient_sum", "gradient_sum"},
      {"linear_approx", "linear_approximation"},
      {"grad_cam", "grad_cam"},
      {"norm_grad", "norm_grad"},
      {"norm_grad_selective", "selective_norm_grad"}};
  for (const auto& [theirs, ours] : names) {
    if (theirs == reference) return *Attribution::Named(ours);
  }
  return std::nullopt;
}

CombinationWeights WeightsOf(const GoldenEntry& entry) {
  const auto layers = static_cast<int>(entry.layers.size());
  const Weighting weighting = entry.weights == "linear" ? Weighting::kLinear
                              : entry.weights == "explicit"
                                  ? Weighting::kExplicit
                                  : Weighting::kUniform;
  return CombinationWeights::Create(weighting, layers, entry.explicit_weights)
      .value();
}

class GoldenCombineTest
    : public testing::TestWithParam<std::tuple<std::string, std::string>> {
 protected:
  void SetUp() override {
    const auto& [net, form] = GetParam();
    set_ = LoadGolden(net);
    model_ = LoadGoldenModel(set_, form);
  }

  // One pass over the images, all of them for column `target` of the targets.
  ProbeResult Run(const std::vector<int64_t>& images, int target,
                  const std::vector<Probe>& probes) {
    ProbeRequest request;
    request.input = set_.input.index_select(0, at::tensor(images, at::kLong));
    for (size_t row = 0; row < images.size(); ++row) {
      request.rows.push_back(
          {static_cast<int64_t>(row),
           ClassIndex{set_.targets[images[row]][target].item<int64_t>()}});
    }
    request.probes = probes;
    return model_->Run(request).value();
  }

  // Maps at layer resolution.
  static at::Tensor MapsOf(const Attribution& attribution,
                           const ProbeResult::Record& record) {
    return attribution.Attribute(
        {{record.activation, record.gradient}, {}, {}});
  }

  at::Tensor AtInput(const at::Tensor& maps) {
    return ResizeMaps(maps, set_.input.size(2), set_.input.size(3));
  }

  GoldenSet set_;
  std::unique_ptr<ProbedModel> model_;
};

TEST_P(GoldenCombineTest, EveryCombinationIsWithinItsTolerance) {
  int checked = 0;
  double worst = 0;
  std::string worst_name;
  for (const GoldenEntry& entry : set_.entries) {
    // The official script multiplies the maps as they are: the J-th power of
    // our product, whose weights sum to 1.
    const bool official = absl::EndsWith(entry.name, "__combi__t0");
    if (!official && !absl::StartsWith(entry.method, "combine:")) continue;
    const std::optional<Attribution> attribution =
        official ? Attribution::Pair(*ParseExtract(entry.phase1),
                                     *ParseAggregate(entry.phase2))
                 : AttributionFor(absl::StripPrefix(entry.method, "combine:"));
    ASSERT_TRUE(attribution.has_value()) << entry.method;
    std::vector<Probe> probes;
    for (const std::string& layer : entry.layers) probes.push_back({layer});
    const ProbeResult result = Run(entry.images, entry.target, probes);
    std::vector<at::Tensor> maps;
    for (const ProbeResult::Record& record : result.records) {
      maps.push_back(MapsOf(*attribution, record));
    }
    const at::Tensor& want = set_.tensors.at(entry.name);
    at::Tensor got =
        CombineLayers(maps, want.size(2), want.size(3), WeightsOf(entry),
                      entry.accumulation == "sum" ? CombineRule::kSum
                                                  : CombineRule::kProduct)
            .maps.unsqueeze(1);
    if (official) got = got.pow(static_cast<double>(entry.layers.size()));
    const double error = ErrorOverTolerance(entry, got, want);
    EXPECT_LE(error, 1) << entry.name;
    ++checked;
    if (error > worst) {
      worst = error;
      worst_name = entry.name;
    }
  }
  EXPECT_GE(checked, 12);
  std::printf("%d combinations, worst error %.4f of its tolerance (%s)\n",
              checked, worst, worst_name.c_str());
}

TEST_P(GoldenCombineTest, EveryCorrelationIsWithinItsTolerance) {
  int checked = 0;
  int undefined = 0;
  double worst = 0;
  for (const GoldenEntry& entry : set_.entries) {
    // "plus_eps": the fork's addition of 1e-6, which makes ties in small maps.
    if (entry.source != "sp" || absl::EndsWith(entry.name, "__plus_eps")) {
      continue;
    }
    const bool identity = entry.method == "spearman:identity";
    // The reference of this one is wrong, as its manifest says.
    if (absl::StrContains(entry.notes, "groups ignored")) continue;
    std::vector<std::optional<double>> rho;
    if (identity) {
      const ProbeResult result = Run(
          entry.images, 0, {{entry.layer}, {entry.layer, Probe::Side::kInput}});
      const ProbeResult::Record& output = result.records[0];
      const at::Tensor real =
          RealConvNorm({.input = result.records[1].activation,
                        .output_gradient = output.gradient,
                        .geometry = *(*model_->FindLayer(entry.layer))->conv});
      rho = Spearman(AtInput(MapsOf(*AttributionFor("norm_grad"), output)),
                     AtInput(real));
    } else {
      const std::optional<Attribution> attribution =
          AttributionFor(absl::StripPrefix(entry.method, "spearman:"));
      if (!attribution) continue;
      const ProbeResult most = Run(entry.images, 0, {{entry.layer}});
      const ProbeResult least = Run(entry.images, 1, {{entry.layer}});
      rho = Spearman(AtInput(MapsOf(*attribution, most.records[0])),
                     AtInput(MapsOf(*attribution, least.records[0])));
    }
    const at::Tensor& want = set_.tensors.at(entry.name);
    for (size_t row = 0; row < rho.size(); ++row) {
      SCOPED_TRACE(testing::Message() << entry.name << " row " << row);
      const auto reference = want[static_cast<int64_t>(row)].item<double>();
      if (std::isnan(reference)) {
        EXPECT_EQ(rho[row], std::nullopt);
        ++undefined;
        continue;
      }
      if (std::count(entry.skipped_rows.begin(), entry.skipped_rows.end(),
                     static_cast<int64_t>(row)) > 0) {
        continue;
      }
      ASSERT_NE(rho[row], std::nullopt);
      EXPECT_NEAR(*rho[row], reference, entry.tolerance);
      worst =
          std::max(worst, std::abs(*rho[row] - reference) / entry.tolerance);
      ++checked;
    }
  }
  EXPECT_GE(checked, 30);
  std::printf(
      "%d correlations, worst error %.4f of its tolerance; %d "
      "undefined\n",
      checked, worst, undefined);
}

INSTANTIATE_TEST_SUITE_P(Nets, GoldenCombineTest,
                         testing::Combine(testing::ValuesIn(GoldenNets()),
                                          testing::Values("script", "trace")),
                         [](const auto& test) {
                           return std::get<0>(test.param) + "_" +
                                  std::get<1>(test.param);
                         });

}  // namespace
}  // namespace saliency::golden_combine_test
