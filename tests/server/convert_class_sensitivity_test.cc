#include "server/convert/convert_class_sensitivity.h"

#include <cmath>
#include <optional>
#include <utility>
#include <variant>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace saliency::convert_class_sensitivity_test {
namespace {

using Request = v1::MeasureClassSensitivityRequest;
using ::testing::SizeIs;

Request ImageRequest() {
  Request request;
  request.mutable_input()->set_image("bytes");
  return request;
}

TEST(ConvertClassSensitivityTest, AsksForBothEndsOfTheRankingInOneItem) {
  Request request = ImageRequest();
  request.mutable_model()->set_name("m");
  request.mutable_model()->set_version(2);
  request.set_score(v1::SCORE_LOG_SOFTMAX);
  request.add_combinations();
  const Job job = JobFromProto(request, {}).value();
  EXPECT_EQ(job.model, "m");
  EXPECT_EQ(job.version, 2);
  EXPECT_EQ(job.score, Score::kLogSoftmax);
  ASSERT_THAT(job.targets, SizeIs(2));
  EXPECT_EQ(std::get<RankFromTop>(job.targets[0]).rank, 0);
  EXPECT_EQ(std::get<RankFromBottom>(job.targets[1]).rank, 0);
  EXPECT_EQ(job.correlate, Correlate::kTargets);
  EXPECT_EQ(job.output.size, OutputSize::kModelInput);
  EXPECT_EQ(job.output.encoding, MapEncoding::kNone);
  EXPECT_FALSE(job.meta.has_value());
  EXPECT_THAT(job.attributions, SizeIs(0));
  EXPECT_THAT(job.combinations, SizeIs(1));
}

TEST(ConvertClassSensitivityTest, AStepIsTakenWhenItIsThere) {
  Request request = ImageRequest();
  request.mutable_step();
  const Job job = JobFromProto(request, {}).value();
  ASSERT_TRUE(job.meta.has_value());
  EXPECT_EQ(job.meta->epsilon, 0.001);
  EXPECT_THAT(job.attributions, SizeIs(1)) << "norm_grad";
  request.mutable_step()->set_loss(static_cast<v1::MetaLoss>(8));
  EXPECT_EQ(JobFromProto(request, {}).status(),
            absl::InvalidArgumentError("step: loss: unknown value 8"));
}

TEST(ConvertClassSensitivityTest, AScalarOutputHasNoClasses) {
  Request request = ImageRequest();
  request.set_score(v1::SCORE_SCALAR_OUTPUT);
  EXPECT_EQ(JobFromProto(request, {}).status(),
            absl::InvalidArgumentError(
                "score SCALAR_OUTPUT has no classes to compare"));
}

MapResult Map(int image, int target, const char* layer) {
  return {.image = image,
          .target = target,
          .method = "norm_grad",
          .layer = layer,
          .explained = {.index = target == 0 ? 9 : 1}};
}

// Two images, two layers, one combination.
Explanation TwoImages() {
  Explanation answer = {.model = "m", .version = 3};
  answer.images.resize(2);
  for (const int image : {0, 1}) {
    for (const int target : {0, 1}) {
      for (const char* layer : {"a", "b"}) {
        answer.results.push_back(Map(image, target, layer));
      }
      answer.combined.push_back({.map = Map(image, target, "")});
    }
  }
  answer.correlations = {0.5, -1, 0.25, std::nullopt};
  answer.combined_correlations = {std::nullopt, std::nullopt};
  return answer;
}

TEST(ConvertClassSensitivityTest, EachImageHasItsMeasurements) {
  v1::MeasureClassSensitivityResponse response;
  ToProto(TwoImages(), "id", &response);
  EXPECT_EQ(response.summary().model().name(), "m");
  ASSERT_EQ(response.measurements_size(), 6);
  const v1::ClassSensitivity& second = response.measurements(1);
  EXPECT_EQ(second.status().code(), 0);
  EXPECT_EQ(second.image(), 0);
  EXPECT_EQ(second.layer(), "b");
  EXPECT_EQ(second.method(), "norm_grad");
  EXPECT_EQ(second.most_likely().class_index(), 9);
  EXPECT_EQ(second.least_likely().class_index(), 1);
  EXPECT_EQ(second.correlation(), -1);
  EXPECT_EQ(response.measurements(2).layer(), "") << "the combination";
  EXPECT_EQ(response.measurements(3).image(), 1);
  EXPECT_EQ(response.measurements(3).correlation(), 0.25);
  EXPECT_FALSE(response.measurements(4).has_correlation());
}

TEST(ConvertClassSensitivityTest, SummariesAreOverImages) {
  v1::MeasureClassSensitivityResponse response;
  ToProto(TwoImages(), "id", &response);
  ASSERT_EQ(response.summaries_size(), 3);
  EXPECT_EQ(response.summaries(0).layer(), "a");
  EXPECT_DOUBLE_EQ(response.summaries(0).mean(), 0.375);
  EXPECT_DOUBLE_EQ(response.summaries(0).standard_deviation(), 0.125);
  EXPECT_EQ(response.summaries(0).count(), 2);
  EXPECT_EQ(response.summaries(0).undefined(), 0);
  EXPECT_EQ(response.summaries(1).mean(), -1);
  EXPECT_EQ(response.summaries(1).standard_deviation(), 0);
  EXPECT_EQ(response.summaries(1).count(), 1);
  EXPECT_EQ(response.summaries(1).undefined(), 1);
  EXPECT_EQ(response.summaries(2).layer(), "");
  EXPECT_EQ(response.summaries(2).count(), 0);
  EXPECT_EQ(response.summaries(2).mean(), 0);
  EXPECT_EQ(response.summaries(2).undefined(), 2);
}

TEST(ConvertClassSensitivityTest, AMeasurementFailsWithEitherOfItsMaps) {
  Explanation answer = TwoImages();
  answer.results[2].status = absl::FailedPreconditionError("not finite");
  answer.correlations[0] = std::nullopt;
  v1::MeasureClassSensitivityResponse response;
  ToProto(std::move(answer), "id", &response);
  EXPECT_EQ(response.measurements(0).status().code(), 9);
  EXPECT_EQ(response.measurements(0).status().message(), "not finite");
  EXPECT_EQ(response.measurements(0).layer(), "a");
  EXPECT_FALSE(response.measurements(0).has_most_likely());
  EXPECT_EQ(response.summaries(0).count(), 1);
}

}  // namespace
}  // namespace saliency::convert_class_sensitivity_test
