// MeasureWeightSensitivity at the real server: stage 0 is the model that
// serves, which stays as it is whatever happens to its copies.

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/end_to_end/model_folder.h"
#include "tests/end_to_end/server_environment.h"
#include "tests/end_to_end/wire.h"

namespace saliency::weight_sensitivity_test {
namespace {

using ::testing::HasSubstr;
using Stage = v1::MeasureWeightSensitivityResponse;

ServerEnvironment& environment = UseServer([](ModelFolder& models) {
  models.AddGolden("tiny_resnet", "script", "resnet");
});

v1::ComputeSaliencyRequest ComputeRequest() {
  v1::ComputeSaliencyRequest request;
  *request.mutable_input() = RandomTensor(1, GoldenInputSize("tiny_resnet"));
  *request.add_attributions() =
      At("linear_approximation", {"layer1", "layer2"});
  request.mutable_output()->set_named_size(v1::NAMED_SIZE_LAYER);
  request.mutable_output()->set_normalise(false);
  return request;
}

v1::MeasureWeightSensitivityRequest Question(uint64_t seed = 0) {
  const v1::ComputeSaliencyRequest compute = ComputeRequest();
  v1::MeasureWeightSensitivityRequest request;
  *request.mutable_input() = compute.input();
  *request.mutable_attributions() = compute.attributions();
  *request.mutable_output() = compute.output();
  request.mutable_output()->set_encoding(v1::MAP_ENCODING_FLOAT32);
  request.set_seed(seed);
  return request;
}

// Waits for the place of a copy that may still be taken.
std::vector<Stage> Measure(const v1::MeasureWeightSensitivityRequest& request) {
  std::vector<Stage> stages;
  absl::Status status;
  do {
    stages.clear();
    status = environment.client().MeasureWeightSensitivity(
        request, [&](Stage stage) {
          stages.push_back(std::move(stage));
          return true;
        });
  } while (absl::IsResourceExhausted(status));
  EXPECT_TRUE(status.ok()) << status;
  return stages;
}

std::string Pixels(const std::vector<Stage>& stages) {
  std::string all;
  for (const Stage& stage : stages) {
    for (const auto& map : stage.maps()) all += map.map().data();
  }
  return all;
}

TEST(WeightSensitivityTest, StageZeroIsTheModelThatServes) {
  const std::vector<Stage> stages = Measure(Question());
  const auto plain = environment.client().ComputeSaliency(ComputeRequest());
  ASSERT_TRUE(plain.ok()) << plain.status();
  ASSERT_GE(stages.size(), 4U);
  ASSERT_EQ(stages[0].maps_size(), 2);
  for (int i = 0; i < 2; ++i) {
    ExpectSameMap(stages[0].maps(i).map(), plain->maps(i), 1e-5F);
    EXPECT_EQ(stages[0].maps(i).correlation(), 1.0);
  }
  EXPECT_EQ(stages[0].num_stages(), static_cast<int>(stages.size()));
}

TEST(WeightSensitivityTest, MapsChangeAndTheExplainedClassDoesNot) {
  const std::vector<Stage> stages = Measure(Question());
  const int explained = stages[0].maps(0).map().explained_class().class_index();
  for (size_t i = 1; i < stages.size(); ++i) {
    SCOPED_TRACE(i);
    EXPECT_FALSE(stages[i].module().empty());
    EXPECT_EQ(stages[i].maps(0).map().explained_class().class_index(),
              explained);
    EXPECT_NE(stages[i].maps(0).map().data(), stages[0].maps(0).map().data());
    if (stages[i].maps(0).has_correlation()) {
      EXPECT_LT(stages[i].maps(0).correlation(), 1.0);
    }
  }
}

TEST(WeightSensitivityTest, TheSeedGivesTheMaps) {
  const std::string first = Pixels(Measure(Question(3)));
  EXPECT_TRUE(first == Pixels(Measure(Question(3))));
  EXPECT_FALSE(first == Pixels(Measure(Question(4))));
}

TEST(WeightSensitivityTest, TheModelThatServesIsNotChanged) {
  const auto before = environment.client().ComputeSaliency(ComputeRequest());
  Measure(Question());
  const auto after = environment.client().ComputeSaliency(ComputeRequest());
  ASSERT_TRUE(before.ok() && after.ok());
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(before->maps(i).data(), after->maps(i).data());
  }
}

TEST(WeightSensitivityTest, AMetaStepIsTakenAtEveryStage) {
  v1::MeasureWeightSensitivityRequest request = Question();
  request.mutable_step()->set_epsilon(0.01);
  request.add_stages("fc");
  const std::vector<Stage> stages = Measure(request);
  ASSERT_EQ(stages.size(), 2U);
  v1::MetaSaliencyRequest meta;
  *meta.mutable_input() = request.input();
  *meta.mutable_attributions() = request.attributions();
  *meta.mutable_output() = request.output();
  *meta.mutable_step() = request.step();
  const auto expected = environment.client().MetaSaliency(meta);
  ASSERT_TRUE(expected.ok()) << expected.status();
  ExpectSameMap(stages[0].maps(0).map(), expected->maps(0).map(), 1e-4F);
  EXPECT_NE(stages[1].maps(0).map().data(), stages[0].maps(0).map().data());
}

TEST(WeightSensitivityTest, ABackwardRuleIsThatOfEveryStage) {
  v1::ComputeSaliencyRequest compute = ComputeRequest();
  compute.clear_attributions();
  *compute.add_attributions() = At("guided_backprop", {"layer1", "layer2"});
  v1::MeasureWeightSensitivityRequest request = Question();
  *request.mutable_attributions() = compute.attributions();
  request.add_stages("fc");
  const std::vector<Stage> stages = Measure(request);
  const auto plain = environment.client().ComputeSaliency(compute);
  ASSERT_TRUE(plain.ok()) << plain.status();
  ASSERT_EQ(stages.size(), 2U);
  ASSERT_EQ(stages[0].maps_size(), 2);
  for (int i = 0; i < 2; ++i) {
    ExpectSameMap(stages[0].maps(i).map(), plain->maps(i), 1e-5F);
    EXPECT_NE(stages[1].maps(i).map().data(), stages[0].maps(i).map().data());
  }
  // Two rules would need two passes for each stage.
  *request.add_attributions() = At("gradient", {"layer1"});
  absl::Status status;
  do {
    status = environment.client().MeasureWeightSensitivity(
        request, [](const Stage&) { return true; });
  } while (absl::IsResourceExhausted(status));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("have to share one backward rule"),
            absl::string_view::npos)
      << status;
}

TEST(WeightSensitivityTest, UnknownStagesHaveNearNames) {
  v1::MeasureWeightSensitivityRequest request = Question();
  request.add_stages("layer1.0.conv9");
  const absl::Status status = environment.client().MeasureWeightSensitivity(
      request, [](Stage) { return true; });
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("layer1.0.conv"));
  ExpectFitForCallers(std::string(status.message()));
}

TEST(WeightSensitivityTest, WhoeverWantsNoMoreEndsIt) {
  int stages = 0;
  const absl::Status status = environment.client().MeasureWeightSensitivity(
      Question(), [&](Stage) { return ++stages < 2; });
  EXPECT_TRUE(absl::IsCancelled(status)) << status;
  EXPECT_EQ(stages, 2);
  EXPECT_GE(Measure(Question()).size(), 4U);
}

}  // namespace
}  // namespace saliency::weight_sensitivity_test
