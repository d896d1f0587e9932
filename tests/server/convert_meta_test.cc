#include "server/convert/convert_meta.h"

#include <functional>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace saliency::convert_meta_test {
namespace {

using Request = v1::MetaSaliencyRequest;
using ::testing::ElementsAre;
using ::testing::SizeIs;

Request ImageRequest() {
  Request request;
  request.mutable_input()->set_image("bytes");
  return request;
}

TEST(ConvertMetaTest, NothingButAnImageIsNormGradAfterADefaultStep) {
  const Job job = JobFromProto(ImageRequest(), {}).value();
  ASSERT_THAT(job.attributions, SizeIs(1));
  EXPECT_EQ(job.attributions[0].attribution.name(), "norm_grad");
  EXPECT_THAT(job.combinations, SizeIs(0));
  ASSERT_TRUE(job.meta.has_value());
  EXPECT_EQ(job.meta->epsilon, 0.001);
  EXPECT_EQ(job.meta->direction, MetaDirection::kDescent);
  EXPECT_FALSE(job.meta->loss.has_value()) << "the model's to say";
  EXPECT_FALSE(job.plain_maps);
  EXPECT_EQ(job.correlate, Correlate::kNone);
}

TEST(ConvertMetaTest, EveryFieldArrives) {
  Request request = ImageRequest();
  request.mutable_model()->set_name("m");
  request.mutable_model()->set_version(7);
  request.add_targets()->set_class_index(4);
  request.set_score(v1::SCORE_SOFTMAX);
  request.mutable_output()->set_smooth_sigma(0.25F);
  request.set_top_k(3);
  request.add_attributions()->set_method("gradient");
  request.mutable_attributions(0)->add_layers("a");
  request.add_combinations()->set_rule(v1::COMBINE_RULE_PRODUCT);
  request.mutable_step()->set_epsilon(0);
  request.mutable_step()->set_direction(v1::META_DIRECTION_ASCENT);
  request.mutable_step()->set_loss(v1::META_LOSS_BINARY_CROSS_ENTROPY);
  request.set_plain_maps(true);
  request.set_plain_correlation(true);
  const Job job = JobFromProto(request, {}).value();
  EXPECT_EQ(job.model, "m");
  EXPECT_EQ(job.version, 7);
  EXPECT_THAT(job.targets, SizeIs(1));
  EXPECT_EQ(job.score, Score::kSoftmax);
  EXPECT_EQ(job.output.smooth_sigma, 0.25);
  EXPECT_EQ(job.top_k, 3);
  ASSERT_THAT(job.attributions, SizeIs(1));
  EXPECT_THAT(job.attributions[0].layers, ElementsAre("a"));
  ASSERT_THAT(job.combinations, SizeIs(1));
  EXPECT_EQ(job.combinations[0].rule, CombineRule::kProduct);
  EXPECT_EQ(job.combinations[0].attribution->name(), "norm_grad");
  EXPECT_EQ(job.meta->epsilon, 0) << "zero is not unset";
  EXPECT_EQ(job.meta->direction, MetaDirection::kAscent);
  EXPECT_EQ(job.meta->loss, MetaLoss::kBinaryCrossEntropy);
  EXPECT_TRUE(job.plain_maps);
  EXPECT_EQ(job.correlate, Correlate::kPlain);
}

TEST(ConvertMetaTest, CombinationsAloneAskForNothingElse) {
  Request request = ImageRequest();
  request.add_combinations();
  EXPECT_THAT(JobFromProto(request, {})->attributions, SizeIs(0));
}

struct Bad {
  std::string name;
  std::function<void(Request&)> spoil;
  std::string message;
};

class BadMetaRequestTest : public testing::TestWithParam<Bad> {};

TEST_P(BadMetaRequestTest, IsRefusedByName) {
  Request request = ImageRequest();
  GetParam().spoil(request);
  EXPECT_EQ(JobFromProto(request, {}).status(),
            absl::InvalidArgumentError(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadMetaRequestTest,
    testing::Values(
        Bad{"NoInput", [](Request& r) { r.clear_input(); },
            "input: neither image nor tensor is set"},
        Bad{"TooManyTargets",
            [](Request& r) {
              for (int i = 0; i < 65; ++i) r.add_targets();
            },
            "targets: 65 of at most 64"},
        Bad{"TooManyAttributions",
            [](Request& r) {
              for (int i = 0; i < 65; ++i) r.add_attributions();
            },
            "attributions: 65 of at most 64"},
        Bad{"TooManyCombinations",
            [](Request& r) {
              for (int i = 0; i < 65; ++i) r.add_combinations();
            },
            "combinations: 65 of at most 64"},
        Bad{"EmptyAttribution", [](Request& r) { r.add_attributions(); },
            "attributions[0]: no method is set"},
        Bad{"UnknownRule",
            [](Request& r) {
              r.add_combinations()->set_rule(static_cast<v1::CombineRule>(5));
            },
            "combinations[0]: rule: unknown value 5"},
        Bad{"UnknownDirection",
            [](Request& r) {
              r.mutable_step()->set_direction(
                  static_cast<v1::MetaDirection>(9));
            },
            "step: direction: unknown value 9"},
        Bad{"UnknownLoss",
            [](Request& r) {
              r.mutable_step()->set_loss(static_cast<v1::MetaLoss>(8));
            },
            "step: loss: unknown value 8"}),
    [](const auto& test) { return test.param.name; });

TEST(ConvertMetaTest, EachMapComesWithItsPlainOneAndItsCorrelation) {
  Explanation answer = {.model = "m", .version = 3};
  answer.results = {{.target = 0, .score = 1, .data = "stepped"},
                    {.status = absl::NotFoundError("layer"), .target = 1}};
  answer.plain_results = {{.score = 2, .data = "plain"},
                          {.status = absl::NotFoundError("layer")}};
  answer.correlations = {-0.25, std::nullopt};
  answer.combined = {{.map = {.data = "joined"}}};
  answer.plain_combined = {{.map = {.data = "plainly"}}};
  answer.combined_correlations = {0.5};
  v1::MetaSaliencyResponse response;
  ToProto(std::move(answer), "id", &response);
  EXPECT_EQ(response.summary().model().name(), "m");
  ASSERT_EQ(response.maps_size(), 2);
  EXPECT_EQ(response.maps(0).map().data(), "stepped");
  EXPECT_EQ(response.maps(0).plain().data(), "plain");
  EXPECT_EQ(response.maps(0).plain().score(), 2);
  EXPECT_EQ(response.maps(0).plain_correlation(), -0.25);
  EXPECT_EQ(response.maps(1).map().status().code(), 5);
  EXPECT_FALSE(response.maps(1).has_plain_correlation());
  ASSERT_EQ(response.combined_size(), 1);
  EXPECT_EQ(response.combined(0).map().map().data(), "joined");
  EXPECT_EQ(response.combined(0).plain().map().data(), "plainly");
  EXPECT_EQ(response.combined(0).plain_correlation(), 0.5);
}

TEST(ConvertMetaTest, WhatWasNotAskedForIsNotThere) {
  Explanation answer;
  answer.results = {{.data = "stepped"}};
  v1::MetaSaliencyResponse response;
  ToProto(std::move(answer), "id", &response);
  EXPECT_FALSE(response.maps(0).has_plain());
  EXPECT_FALSE(response.maps(0).has_plain_correlation());
}

}  // namespace
}  // namespace saliency::convert_meta_test
