// Every golden value that this server's methods are defined for, on scripted
// and traced networks.

#include <cmath>
#include <cstdio>
#include <map>
#include <optional>

#include "ATen/ATen.h"
#include "core/attribution/attribution.h"
#include "core/attribution/postprocess.h"
#include "core/attribution/smooth.h"
#include "core/model/probed_model.h"
#include "gtest/gtest.h"
#include "tests/model/golden_model.h"
#include "tests/support/golden.h"

namespace saliency::golden_test {
namespace {

// How an entry is made from a pass: a map, or a tensor as it is.
struct Recipe {
  std::optional<Attribution> attribution;  // none: the record itself
  std::string resize;  // "", "input", "22x31" (width x height), "224"
  double smooth = 0;
  bool normalise = false;
  bool clamp_reference = false;  // the reference left Grad-CAM's ReLU out
};

Attribution Named(const char* name) { return *Attribution::Named(name); }

std::optional<Recipe> GridRecipe(const GoldenEntry& entry) {
  const std::string extract =
      entry.phase1 == "conv3x3_depthwise" ? "depthwise3x3" : entry.phase1;
  const std::string aggregate =
      entry.phase2 == "filter_norm" ? "positive_norm" : entry.phase2;
  const Attribution pair =
      Attribution::Pair(*ParseExtract(extract), *ParseAggregate(aggregate));
  if (entry.source == "og") return Recipe{pair};
  // Layer combinations have an issue, and tests, of their own.
  if (entry.name.find("__combi__") != std::string::npos) return std::nullopt;
  return Recipe{pair, "224", 0, /*normalise=*/true};
}

std::optional<Recipe> WithOptions(Recipe recipe, const std::string& options) {
  if (options.empty()) return recipe;
  if (options == "resize") {
    recipe.resize = "input";
  } else if (options == "resize_w22_h31") {
    recipe.resize = "22x31";
  } else if (options == "smooth002") {
    recipe.smooth = 0.02;
  } else if (options == "resize_smooth005") {
    recipe.resize = "input";
    recipe.smooth = 0.05;
  } else {
    return std::nullopt;
  }
  return recipe;
}

std::optional<Recipe> MethodRecipe(const GoldenEntry& entry) {
  const std::string key = entry.source + ":" + entry.method;
  if (key == "tr:gradient") return Recipe{Named("gradient")};
  if (key == "tr:linear_approx") return Recipe{Named("linear_approximation")};
  if (key == "tr:grad_cam") return Recipe{Named("grad_cam")};
  if (key == "fk:norm_grad") return Recipe{Named("norm_grad")};
  if (key == "fk:norm_grad_selective") {
    return Recipe{Named("selective_norm_grad")};
  }
  if (key == "fk:gradient_sum") return Recipe{Named("gradient_sum")};
  if (key == "cp:layer_grad_cam") {
    Recipe recipe{Named("grad_cam")};
    recipe.clamp_reference = true;
    return recipe;
  }
  if (key == "oracle:norm_grad_proper" ||
      (key == "fk:norm_grad_proper" &&
       entry.notes.find("IGNORES groups") == std::string::npos)) {
    return Recipe{Named("norm_grad_real_conv")};
  }
  return std::nullopt;
}

// nullopt: the entry belongs to a method of another kind.
std::optional<Recipe> RecipeFor(const GoldenEntry& entry) {
  if (entry.source == "x" || entry.source == "g") return Recipe{};
  if (entry.source == "og" || entry.source == "og224") return GridRecipe(entry);
  const std::optional<Recipe> recipe = MethodRecipe(entry);
  return recipe ? WithOptions(*recipe, entry.options) : std::nullopt;
}

// How many entries of each source our methods are defined for: a set that
// shrinks, or a recipe that no longer recognises its entries, must not pass
// unseen.
using Counts = std::map<std::string, int>;
Counts ExpectedEntries(const std::string& net) {
  static const std::map<std::string, Counts> kExpected = {{"tiny_vgg",
                                                           {{"x", 4},
                                                            {"g", 10},
                                                            {"tr", 33},
                                                            {"fk", 33},
                                                            {"oracle", 3},
                                                            {"og", 105},
                                                            {"og224", 1},
                                                            {"cp", 6}}},
                                                          {"tiny_resnet",
                                                           {{"x", 4},
                                                            {"g", 17},
                                                            {"tr", 51},
                                                            {"fk", 54},
                                                            {"oracle", 4},
                                                            {"og", 145},
                                                            {"cp", 8}}},
                                                          {"tiny_mobilenet",
                                                           {{"x", 4},
                                                            {"g", 9},
                                                            {"tr", 36},
                                                            {"fk", 36},
                                                            {"oracle", 4},
                                                            {"og", 105},
                                                            {"cp", 7}}},
                                                          {"tiny_squeeze",
                                                           {{"x", 4},
                                                            {"g", 15},
                                                            {"tr", 45},
                                                            {"fk", 46},
                                                            {"oracle", 3},
                                                            {"og", 125},
                                                            {"og224", 1},
                                                            {"cp", 8}}},
                                                          {"tiny_dense",
                                                           {{"x", 4},
                                                            {"g", 15},
                                                            {"tr", 51},
                                                            {"fk", 52},
                                                            {"oracle", 3},
                                                            {"og", 145},
                                                            {"cp", 8}}}};
  return kExpected.at(net);
}

class GoldenTest
    : public ::testing::TestWithParam<std::tuple<std::string, std::string>> {
 protected:
  // The rows of the entry in one batch.
  static ProbeRequest RequestFor(const GoldenSet& set, const GoldenEntry& entry,
                                 const std::vector<Probe>& probes) {
    ProbeRequest request;
    request.input =
        set.input.index_select(0, at::tensor(entry.images, at::kLong));
    for (size_t row = 0; row < entry.images.size(); ++row) {
      const int target = std::max(entry.target, 0);
      request.rows.push_back(
          {static_cast<int64_t>(row),
           ClassIndex{set.targets[entry.images[row]][target].item<int64_t>()}});
    }
    request.probes = probes;
    return request;
  }

  static at::Tensor Resize(const GoldenSet& set, const Recipe& recipe,
                           const at::Tensor& maps) {
    if (recipe.resize == "input") {
      return ResizeMaps(maps, set.input.size(2), set.input.size(3));
    }
    if (recipe.resize == "22x31") return ResizeMaps(maps, 31, 22);
    if (recipe.resize == "224") return ResizeMaps(maps, 224, 224);
    return maps;
  }

  static at::Tensor Make(const GoldenSet& set, ProbedModel& model,
                         const GoldenEntry& entry, const Recipe& recipe) {
    std::vector<Probe> probes = {{entry.layer}};
    const bool real_conv =
        recipe.attribution &&
        recipe.attribution->method_inputs() == MethodInputs::kRealConv;
    if (real_conv) probes.push_back({entry.layer, Probe::Side::kInput});
    const auto result = model.Run(RequestFor(set, entry, probes));
    EXPECT_TRUE(result.ok()) << result.status();
    if (!result.ok()) return at::zeros({1});
    const ProbeResult::Record& record = result->records[0];
    if (!recipe.attribution) {
      return entry.source == "x" ? record.activation : record.gradient;
    }
    MethodContext context{{record.activation, record.gradient}, {}, {}};
    if (real_conv) {
      context.conv = ConvRecord{result->records[1].activation, record.gradient,
                                *(*model.FindLayer(entry.layer))->conv};
    }
    at::Tensor maps = recipe.attribution->Attribute(context);
    maps = SmoothMaps(Resize(set, recipe, maps), recipe.smooth);
    if (recipe.normalise) maps = NormaliseMaps(maps);
    return maps.unsqueeze(1);
  }
};

TEST_P(GoldenTest, EveryEntryIsWithinItsTolerance) {
  const auto& [net, form] = GetParam();
  const GoldenSet set = LoadGolden(net);
  const std::unique_ptr<ProbedModel> model = LoadGoldenModel(set, form);
  Counts checked;
  int total = 0, exact = 0;
  double worst = 0;
  std::string worst_name;
  for (const GoldenEntry& entry : set.entries) {
    const std::optional<Recipe> recipe = RecipeFor(entry);
    if (!recipe) continue;
    at::Tensor want = set.tensors.at(entry.name);
    if (recipe->clamp_reference) want = want.clamp_min(0);
    const at::Tensor got = Make(set, *model, entry, *recipe);
    const double error = ErrorOverTolerance(entry, got, want);
    EXPECT_LE(error, 1) << entry.name << " (" << entry.source << ", "
                        << got.sizes() << " against " << want.sizes() << ")";
    ++checked[entry.source];
    ++total;
    exact += got.sizes() == want.sizes() && got.equal(want) ? 1 : 0;
    if (error > worst) {
      worst = error;
      worst_name = entry.name;
    }
  }
  for (const auto& [source, count] : ExpectedEntries(net)) {
    EXPECT_GE(checked[source], count) << "entries of " << source;
  }
  std::printf(
      "%s %s: %d entries, %d bit for bit, worst error %.4f of its "
      "tolerance (%s)\n",
      net.c_str(), form.c_str(), total, exact, worst, worst_name.c_str());
}

TEST_P(GoldenTest, LogitsActivationsAndGradientsAreThoseOfPyTorch) {
  const auto& [net, form] = GetParam();
  const GoldenSet set = LoadGolden(net);
  const std::unique_ptr<ProbedModel> model = LoadGoldenModel(set, form);
  int tensors = 0;
  for (const GoldenEntry& entry : set.entries) {
    if (entry.source != "x" && entry.source != "g") continue;
    const at::Tensor got = Make(set, *model, entry, Recipe{});
    EXPECT_LE(ErrorOverTolerance(entry, got, set.tensors.at(entry.name)), 1)
        << entry.name;
    ++tensors;
  }
  Counts expected = ExpectedEntries(net);
  EXPECT_GE(tensors, expected["x"] + expected["g"]);
  GoldenEntry all;
  all.images = {0, 1, 2, 3};
  all.tolerance = 2e-5;
  all.tolerance_metric = "relative_per_image";
  const auto result = model->Run(RequestFor(set, all, {{"input"}}));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_LE(ErrorOverTolerance(all, result->logits, set.tensors.at("logits")),
            1);
}

TEST(ErrorOverToleranceTest, NaNInAnyRowIsNoPass) {
  for (const char* metric : {"relative_per_image", "absolute", "q99"}) {
    GoldenEntry entry;
    entry.tolerance = 1;
    entry.tolerance_metric = metric;
    const at::Tensor want = at::ones({3, 200});
    EXPECT_EQ(ErrorOverTolerance(entry, want, want), 0) << metric;
    for (int64_t row = 0; row < 3; ++row) {
      const at::Tensor got = want.clone();
      got[row][7] = NAN;
      EXPECT_GT(ErrorOverTolerance(entry, got, want), 1) << metric << row;
    }
    EXPECT_GT(ErrorOverTolerance(entry, want.slice(1, 0, 100), want), 1);
  }
}

INSTANTIATE_TEST_SUITE_P(Nets, GoldenTest,
                         ::testing::Combine(::testing::ValuesIn(GoldenNets()),
                                            ::testing::Values("script",
                                                              "trace")),
                         [](const auto& test) {
                           return std::get<0>(test.param) + "_" +
                                  std::get<1>(test.param);
                         });

}  // namespace
}  // namespace saliency::golden_test
