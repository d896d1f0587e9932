// The golden values of methods with a backward rule of their own, on scripted
// and traced networks.

#include <ATen/ATen.h>

#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>

#include "core/attribution/attribution.h"
#include "core/attribution/postprocess.h"
#include "core/attribution/smooth.h"
#include "core/model/probed_model.h"
#include "gtest/gtest.h"
#include "tests/model/golden_model.h"
#include "tests/support/golden.h"

namespace saliency::golden_rules_test {
namespace {

// How an entry is made from a pass.
struct Recipe {
  BackwardRule rule;
  std::optional<Attribution> attribution;  // none: the signal itself
  bool is_relevance = false;               // times the activation
  bool sums_alone = false;                 // each image's, not each value
  bool resize = false;                     // to the input
  double smooth = 0;
};

Attribution Named(const char* name) { return *Attribution::Named(name); }

// "relu6_split" and "eltwise" are told apart before.
std::optional<Recipe> WithOptions(Recipe recipe, const std::string& options) {
  if (options == "smooth002") {
    recipe.smooth = 0.02;
  } else if (options == "resize") {
    recipe.resize = true;
  } else if (!options.empty()) {
    return std::nullopt;
  }
  return recipe;
}

// The references know no ReLU6: on a network of them theirs is the gradient.
bool IsOfAnotherRule(const std::string& net, const GoldenEntry& entry) {
  return net == "tiny_mobilenet" && entry.options != "relu6_split";
}

std::optional<Recipe> ReluRecipe(const std::string& net,
                                 const GoldenEntry& entry) {
  static const std::map<std::string, const char*> kMethods = {
      {"tr:deconvnet", "deconvnet"},
      {"cp:deconvnet", "deconvnet"},
      {"tr:guided_backprop", "guided_backprop"},
      {"fk:guided_backprop_sum", "guided_backprop"},
      {"cp:guided_backprop", "guided_backprop"}};
  const auto method = kMethods.find(entry.source + ":" + entry.method);
  if (method == kMethods.end() || IsOfAnotherRule(net, entry)) {
    return std::nullopt;
  }
  const Attribution attribution = Named(method->second);
  Recipe recipe = {.rule = attribution.rule()};
  if (entry.source == "tr") recipe.attribution = attribution;
  if (entry.source == "fk") recipe.attribution = Named("gradient_sum");
  return WithOptions(recipe,
                     entry.options == "relu6_split" ? "" : entry.options);
}

// "eltwise": the branches of a sum share; else each gets all.
std::optional<Recipe> ExcitationRecipe(const GoldenEntry& entry) {
  const bool is_known = entry.source == "tr" &&
                        (entry.method == "excitation_backprop" ||
                         entry.method == "contrastive_excitation_backprop");
  if (!is_known) return std::nullopt;
  const Attribution attribution = Named(entry.method.c_str());
  Recipe recipe = {.rule = attribution.rule(), .attribution = attribution};
  recipe.rule.split_sums = entry.options == "eltwise";
  return WithOptions(recipe, entry.options == "eltwise" ? "" : entry.options);
}

// Captum's DeepLIFT takes the derivative of a max pool behind a ReLU, and its
// rule for those behind a concatenation or where the two are kept apart; there
// it loses differences where windows overlap.  Where the reference's maximum
// stands at several places, as with a reference of one colour, which of them
// has the difference is chance.  It knows no ReLU6 of itself.
std::optional<Recipe> RelevanceRecipe(const std::string& net,
                                      const GoldenEntry& entry) {
  if (entry.source != "cp") return std::nullopt;
  if (entry.method == "lrp_epsilon") {
    return Recipe{
        .rule = {.kind = BackwardRule::Kind::kLrpEpsilon, .epsilon = 1e-9},
        .is_relevance = true};
  }
  if (entry.method != "deeplift_rescale") return std::nullopt;
  const bool has_relu6 = net == "tiny_mobilenet";
  const bool is_apart = entry.options == "pool_separated";
  if (has_relu6 != (entry.options == "relu6rule") || net == "tiny_squeeze" ||
      (is_apart && net != "tiny_vgg")) {
    return std::nullopt;
  }
  return Recipe{.rule = {.kind = BackwardRule::Kind::kDeepLift,
                         .reference = BackwardRule::Reference::kMean,
                         .plain_max_pools = !is_apart},
                .is_relevance = true,
                .sums_alone = is_apart};
}

std::optional<Recipe> RecipeFor(const std::string& net,
                                const GoldenEntry& entry) {
  if (const auto recipe = ReluRecipe(net, entry)) return recipe;
  if (const auto recipe = ExcitationRecipe(entry)) return recipe;
  return RelevanceRecipe(net, entry);
}

// How many entries of each method there are: a set that shrinks, or a recipe
// that no longer recognises its entries, must not pass unseen.
const std::map<std::string, std::map<std::string, int>>& ExpectedEntries() {
  static const auto* const expected =
      new std::map<std::string, std::map<std::string, int>>{
          {"tiny_vgg",
           {{"contrastive_excitation_backprop", 9},
            {"deconvnet", 9},
            {"deeplift_rescale", 2},
            {"excitation_backprop", 10},
            {"guided_backprop", 9},
            {"lrp_epsilon", 1}}},
          {"tiny_resnet",
           {{"contrastive_excitation_backprop", 25},
            {"deconvnet", 11},
            {"deeplift_rescale", 1},
            {"excitation_backprop", 26},
            {"guided_backprop", 11},
            {"lrp_epsilon", 1}}},
          {"tiny_mobilenet",
           {{"contrastive_excitation_backprop", 19},
            {"deconvnet", 3},
            {"deeplift_rescale", 1},
            {"excitation_backprop", 20},
            {"guided_backprop", 3},
            {"lrp_epsilon", 1}}},
          {"tiny_squeeze",
           {{"contrastive_excitation_backprop", 4},
            {"deconvnet", 11},
            {"excitation_backprop", 14},
            {"guided_backprop", 11},
            {"lrp_epsilon", 1}}},
          {"tiny_dense",
           {{"contrastive_excitation_backprop", 15},
            {"deconvnet", 11},
            {"deeplift_rescale", 1},
            {"excitation_backprop", 16},
            {"guided_backprop", 11},
            {"lrp_epsilon", 1}}}};
  return *expected;
}

class GoldenRulesTest
    : public ::testing::TestWithParam<std::tuple<std::string, std::string>> {
 protected:
  // The rows of the entry in one batch.
  static ProbeRequest RequestFor(const GoldenSet& set, const GoldenEntry& entry,
                                 const BackwardRule& rule) {
    ProbeRequest request;
    request.input =
        set.input.index_select(0, at::tensor(entry.images, at::kLong));
    for (const int64_t image : entry.images) {
      request.rows.push_back(
          {.image = static_cast<int64_t>(request.rows.size()),
           .target =
               ClassIndex{set.targets[image][entry.target].item<int64_t>()}});
    }
    request.probes = {{entry.layer}};
    request.rule = rule;
    return request;
  }

  static at::Tensor Make(const GoldenSet& set, ProbedModel& model,
                         const GoldenEntry& entry, const Recipe& recipe) {
    const auto result = model.Run(RequestFor(set, entry, recipe.rule));
    EXPECT_TRUE(result.ok()) << result.status();
    if (!result.ok()) return at::zeros({1});
    const ProbeResult::Record& record = result->records[0];
    if (recipe.is_relevance) return record.activation * record.gradient;
    if (!recipe.attribution) return record.gradient;
    at::Tensor maps = recipe.attribution->Attribute(
        {.layer = {record.activation, record.gradient}});
    if (recipe.resize) {
      maps = ResizeMaps(maps, set.input.size(2), set.input.size(3));
    }
    return SmoothMaps(maps, recipe.smooth).unsqueeze(1);
  }
};

TEST_P(GoldenRulesTest, EveryEntryIsWithinItsTolerance) {
  const auto& [net, form] = GetParam();
  const GoldenSet set = LoadGolden(net);
  const std::unique_ptr<ProbedModel> model = LoadGoldenModel(set, form);
  std::map<std::string, int> checked;
  double worst = 0;
  std::string worst_name;
  for (const GoldenEntry& entry : set.entries) {
    const std::optional<Recipe> recipe = RecipeFor(net, entry);
    if (!recipe) continue;
    at::Tensor got = Make(set, *model, entry, *recipe);
    at::Tensor want = set.tensors.at(entry.name);
    if (recipe->sums_alone) {
      got = got.sum({1, 2, 3}).unsqueeze(1);
      want = want.sum({1, 2, 3}).unsqueeze(1);
    }
    const double error = ErrorOverTolerance(entry, got, want);
    EXPECT_LE(error, 1) << entry.name;
    const bool is_sum = entry.method == "guided_backprop_sum";
    if (!is_sum) ++checked[entry.method];
    if (error > worst) {
      worst = error;
      worst_name = entry.name;
    }
  }
  for (const auto& [method, count] : ExpectedEntries().at(net)) {
    EXPECT_EQ(checked[method], count) << method;
  }
  std::printf("%s %s: worst error %.4f of its tolerance (%s)\n", net.c_str(),
              form.c_str(), worst, worst_name.c_str());
}

INSTANTIATE_TEST_SUITE_P(Nets, GoldenRulesTest,
                         ::testing::Combine(::testing::ValuesIn(GoldenNets()),
                                            ::testing::Values("script",
                                                              "trace")),
                         [](const auto& test) {
                           return std::get<0>(test.param) + "_" +
                                  std::get<1>(test.param);
                         });

}  // namespace
}  // namespace saliency::golden_rules_test
