#include <functional>
#include <limits>
#include <string>

#include "core/engine/plan/prepare.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fakes.h"

namespace saliency::plan_combinations_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

JobCombination Of(absl::string_view method, std::vector<std::string> layers,
                  Weighting weighting = Weighting::kUniform) {
  return {.attribution = *Attribution::Named(method),
          .layers = std::move(layers),
          .weighting = weighting};
}

// A job of combinations alone, at image size.
Job CombineJob(std::vector<JobCombination> combinations) {
  Job job = FakeJob(1);
  job.attributions.clear();
  job.combinations = std::move(combinations);
  job.output = OutputOptions();
  return job;
}

ModelMetadata Model() {
  ModelMetadata model = FakeModel();
  model.config.combine_layers = {"conv", "last"};
  return model;
}

absl::StatusOr<PreparedJob> Prepare(const Job& job,
                                    const ModelMetadata& model = Model()) {
  return PrepareJob(job, model, EngineLimits());
}

std::vector<std::string> LayerNames(const PreparedJob& job) {
  std::vector<std::string> names;
  for (const PlannedResult& result : job.layer_results) {
    names.push_back(result.method + "@" + result.layer);
  }
  return names;
}

TEST(PlanCombinationsTest, NoLayersMeansTheModelsOwn) {
  const PreparedJob job =
      Prepare(CombineJob({Of("norm_grad", {}, Weighting::kLinear)})).value();
  ASSERT_EQ(job.combinations.size(), 1);
  const PlannedCombination& plan = job.combinations[0];
  EXPECT_TRUE(plan.status.ok()) << plan.status;
  EXPECT_EQ(plan.method, "norm_grad");
  EXPECT_THAT(LayerNames(job), ElementsAre("norm_grad@conv", "norm_grad@last"));
  EXPECT_THAT(plan.weights->values(), ElementsAre(testing::DoubleEq(1.0 / 3),
                                                  testing::DoubleEq(2.0 / 3)));
}

TEST(PlanCombinationsTest, EachMapIsMadeOnceHoweverManyAskForIt) {
  Job job = CombineJob({Of("norm_grad", {"conv", "last"}),
                        Of("gradient", {"last", "conv"}),
                        Of("norm_grad", {"last", "norm", "conv"})});
  job.attributions = {{*Attribution::Named("norm_grad"), {"last", "conv"}},
                      {*Attribution::Named("norm_grad"), {"conv"}}};
  const PreparedJob prepared = Prepare(job).value();
  EXPECT_EQ(prepared.results.size(), 3);
  EXPECT_THAT(LayerNames(prepared),
              ElementsAre("norm_grad@conv", "norm_grad@last", "gradient@last",
                          "gradient@conv", "norm_grad@norm"));
  EXPECT_EQ(prepared.item.variants.front().attributions.size(), 5);
  EXPECT_EQ(prepared.results[1].pass_index,
            prepared.layer_results[0].pass_index);
  EXPECT_THAT(prepared.combinations[2].layers, ElementsAre(1, 4, 0));
  EXPECT_EQ(prepared.layer_results[4].attribution, 2);
}

TEST(PlanCombinationsTest, ExplicitWeightsMayComeInAnyOrder) {
  JobCombination combination =
      Of("norm_grad", {"conv", "last"}, Weighting::kExplicit);
  combination.weights = {{"last", 3}, {"conv", 1}};
  const PreparedJob job = Prepare(CombineJob({combination})).value();
  EXPECT_THAT(job.combinations[0].weights->values(), ElementsAre(0.25, 0.75));
}

TEST(PlanCombinationsTest, ExplicitWeightsAloneNameTheLayers) {
  JobCombination combination = Of("norm_grad", {}, Weighting::kExplicit);
  combination.weights = {{"norm", 3}, {"conv", 1}};
  const PreparedJob job = Prepare(CombineJob({combination})).value();
  EXPECT_THAT(LayerNames(job), ElementsAre("norm_grad@norm", "norm_grad@conv"));
  EXPECT_THAT(job.combinations[0].weights->values(), ElementsAre(0.75, 0.25));
}

TEST(PlanCombinationsTest, AnUnknownLayerFailsItsCombinationAlone) {
  const PreparedJob job =
      Prepare(CombineJob({Of("norm_grad", {"conv", "lst"}),
                          Of("norm_grad", {"conv", "last"})}))
          .value();
  EXPECT_EQ(job.combinations[0].status,
            absl::NotFoundError("layer \"lst\" not found; nearest: \"last\", "
                                "\"input\", \"conv\""));
  EXPECT_TRUE(job.combinations[1].status.ok());
}

TEST(PlanCombinationsTest, WhenNoneCanBeHadTheJobFailsWithAllOfThem) {
  const absl::Status status =
      Prepare(
          CombineJob({Of("norm_grad", {"cnv"}),
                      Of("norm_grad", {"conv"}, Weighting::kFeatureSpread)}))
          .status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument)
      << "they differ in their codes";
  EXPECT_THAT(status.message(),
              HasSubstr("combinations[0]: layer \"cnv\" not found"));
  EXPECT_THAT(status.message(),
              HasSubstr("combinations[1]: FEATURE_SPREAD weights of this model "
                        "are not calibrated"));
}

TEST(PlanCombinationsTest, AnUncalibratedWeightingSaysHowToCalibrate) {
  for (const auto& [weighting, name] :
       {std::pair{Weighting::kFeatureSpread, "FEATURE_SPREAD"},
        {Weighting::kClassificationAccuracy, "CLASSIFICATION_ACCURACY"}}) {
    const PreparedJob job = Prepare(CombineJob({Of("norm_grad", {}, weighting),
                                                Of("norm_grad", {})}))
                                .value();
    EXPECT_EQ(job.combinations[0].status.code(),
              absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(job.combinations[0].status.message(), HasSubstr(name));
    EXPECT_THAT(job.combinations[0].status.message(),
                HasSubstr("`saliency calibrate`"));
    EXPECT_TRUE(job.combinations[1].status.ok());
  }
}

ModelMetadata Calibrated() {
  ModelMetadata model = Model();
  model.layer_weights.layers = {
      {.layer = "conv", .feature_spread = 1, .classification_accuracy = 0.5},
      {.layer = "norm", .feature_spread = 0},
      {.layer = "last", .feature_spread = 4, .classification_accuracy = 0.75}};
  return model;
}

TEST(PlanCombinationsTest, CalibratedWeightsAreScaledOverTheLayersNamed) {
  const PreparedJob job =
      Prepare(CombineJob({Of("norm_grad", {"conv", "norm", "last"},
                             Weighting::kFeatureSpread),
                          Of("norm_grad", {}, Weighting::kFeatureSpread),
                          Of("norm_grad", {"last", "conv"},
                             Weighting::kClassificationAccuracy)}),
              Calibrated())
          .value();
  EXPECT_THAT(job.combinations[0].weights->values(), ElementsAre(0.2, 0, 0.8));
  EXPECT_THAT(job.combinations[1].weights->values(), ElementsAre(0.2, 0.8));
  EXPECT_THAT(job.combinations[2].weights->values(),
              ElementsAre(testing::DoubleEq(0.6), testing::DoubleEq(0.4)));
}

TEST(PlanCombinationsTest, ALayerThatWasNotMeasuredIsNamed) {
  const PreparedJob job =
      Prepare(CombineJob({Of("norm_grad", {"conv", "norm"},
                             Weighting::kClassificationAccuracy),
                          Of("norm_grad", {"norm"}, Weighting::kFeatureSpread),
                          Of("norm_grad", {})}),
              Calibrated())
          .value();
  EXPECT_THAT(job.combinations[0].status.message(),
              HasSubstr("CLASSIFICATION_ACCURACY weights of layer \"norm\" are "
                        "not calibrated"));
  EXPECT_THAT(job.combinations[1].status.message(),
              HasSubstr("weights of these 1 layers are all 0"));
  EXPECT_EQ(job.combinations[1].status.code(),
            absl::StatusCode::kFailedPrecondition);
}

// What is wrong with a job, and what its caller is told.
struct Bad {
  std::string name;
  std::function<void(Job&)> spoil;
  std::string message;
};

class BadCombinationTest : public testing::TestWithParam<Bad> {};

TEST_P(BadCombinationTest, IsRefusedByName) {
  Job job =
      CombineJob({Of("norm_grad", {}), Of("norm_grad", {"conv", "last"})});
  GetParam().spoil(job);
  EXPECT_EQ(Prepare(job).status(),
            absl::InvalidArgumentError(GetParam().message));
}

void SetWeights(Job& job, std::vector<LayerWeight> weights) {
  job.combinations[1].weighting = Weighting::kExplicit;
  job.combinations[1].weights = std::move(weights);
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadCombinationTest,
    testing::Values(
        Bad{"NothingAsked", [](Job& job) { job.combinations.clear(); },
            "attributions: 0 not in [1, 64]"},
        Bad{"TooManyCombinations",
            [](Job& job) {
              job.combinations.assign(65, Of("norm_grad", {"conv"}));
            },
            "combinations: 65 of at most 64"},
        Bad{"TooManyLayers",
            [](Job& job) { job.combinations[1].layers.assign(511, "conv"); },
            "combinations: 513 layers in all, of at most 512"},
        Bad{"LayerTwice",
            [](Job& job) { job.combinations[1].layers.push_back("conv"); },
            "combinations[1] names layer \"conv\" twice"},
        Bad{"NegativeWeight",
            [](Job& job) {
              SetWeights(job, {{"conv", 1}, {"last", -1}});
            },
            "combinations[1].weights[1].weight -1 is not a finite number >= 0"},
        Bad{"WeightNotANumber",
            [](Job& job) {
              SetWeights(job, {{"conv", kNaN}, {"last", 1}});
            },
            "combinations[1].weights[0].weight nan is not a finite number >= "
            "0"},
        Bad{"WeightsSumToZero",
            [](Job& job) {
              SetWeights(job, {{"conv", 0}, {"last", 0}});
            },
            "combinations[1].weights: all are 0"},
        Bad{"WeightOfAnotherLayer",
            [](Job& job) {
              SetWeights(job, {{"conv", 1}, {"last", 1}, {"norm", 1}});
            },
            "combinations[1].weights[2].layer \"norm\" is none of the "
            "combination's layers"},
        Bad{"WeightTwice",
            [](Job& job) {
              SetWeights(job, {{"conv", 1}, {"last", 1}, {"conv", 2}});
            },
            "combinations[1].weights[2].layer \"conv\" has a weight already"},
        Bad{"WeightMissing",
            [](Job& job) {
              SetWeights(job, {{"last", 1}});
            },
            "combinations[1].weights has none for layer \"conv\"; EXPLICIT "
            "weighting needs one for each layer"},
        Bad{"NoWeights", [](Job& job) { SetWeights(job, {}); },
            "combinations[1].weights has none for layer \"conv\"; EXPLICIT "
            "weighting needs one for each layer"},
        Bad{"WeightsThatNobodyUses",
            [](Job& job) {
              job.combinations[1].weights = {{"conv", 1}};
            },
            "combinations[1].weights: 1 given, but the weighting is UNIFORM; "
            "only EXPLICIT takes weights"},
        Bad{"LayerSize", [](Job& job) { job.output.size = OutputSize::kLayer; },
            "output.named_size LAYER is not for combinations, whose layers "
            "differ in size"},
        Bad{"TooManyPixels",
            [](Job& job) {
              job.output.size = OutputSize::kExplicit;
              job.output.height = job.output.width = 6000;
            },
            // Two layers' maps and two combinations.
            "maps x pixels: 144000000, of at most 134217728"}),
    [](const auto& test) { return test.param.name; });

TEST(PlanCombinationsTest, AModelWithoutCombineLayersWantsThemNamed) {
  EXPECT_EQ(Prepare(CombineJob({Of("norm_grad", {})}), FakeModel()).status(),
            absl::InvalidArgumentError(
                "combinations[0].attribution.layers is empty and the model has "
                "no combine_layers"));
}

}  // namespace
}  // namespace saliency::plan_combinations_test
