#include "server/convert/convert_answer.h"

#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace saliency::convert_answer_test {
namespace {

MapResult GoodMap() {
  return {.image = 1,
          .target = 2,
          .attribution = 3,
          .method = "norm_grad",
          .layer = "layer4",
          .explained = {.index = 4,
                        .label = "cat",
                        .logit = 5,
                        .probability = 0.5F},
          .score = 6,
          .height = 7,
          .width = 8,
          .raw_min = -1,
          .raw_max = 2,
          .point_y = 3,
          .point_x = 4,
          .region = {.height = 7, .width = 8},
          .encoding = MapEncoding::kPng16,
          .data = "pixels"};
}

TEST(ConvertAnswerTest, EveryFieldArrives) {
  Explanation explanation = {.model = "m", .version = 9};
  explanation.images = {
      {.height = 10, .width = 11, .top = {{.index = 1, .label = "a"}}}};
  explanation.results = {GoodMap()};
  explanation.batch_requests = 2;
  explanation.batch_rows = 5;
  explanation.times = {.decode = absl::Seconds(1),
                       .queue = absl::Seconds(2),
                       .forward = absl::Seconds(3),
                       .backward = absl::Seconds(4),
                       .aggregate = absl::Seconds(5),
                       .render = absl::Seconds(6)};
  v1::ComputeSaliencyResponse response;
  ToProto(std::move(explanation), "id", &response);
  EXPECT_EQ(response.summary().model().name(), "m");
  EXPECT_EQ(response.summary().model().version(), 9);
  ASSERT_EQ(response.summary().images_size(), 1);
  EXPECT_EQ(response.summary().images(0).height(), 10);
  EXPECT_EQ(response.summary().images(0).width(), 11);
  EXPECT_EQ(response.summary().images(0).top(0).label(), "a");
  ASSERT_EQ(response.maps_size(), 1);
  const v1::SaliencyMap& map = response.maps(0);
  EXPECT_EQ(map.status().code(), 0);
  EXPECT_EQ(map.image(), 1);
  EXPECT_EQ(map.target(), 2);
  EXPECT_EQ(map.attribution(), 3);
  EXPECT_EQ(map.method(), "norm_grad");
  EXPECT_EQ(map.layer(), "layer4");
  EXPECT_EQ(map.explained_class().class_index(), 4);
  EXPECT_EQ(map.explained_class().label(), "cat");
  EXPECT_EQ(map.explained_class().logit(), 5);
  EXPECT_EQ(map.explained_class().probability(), 0.5F);
  EXPECT_EQ(map.score(), 6);
  EXPECT_EQ(map.height(), 7);
  EXPECT_EQ(map.width(), 8);
  EXPECT_EQ(map.raw_min(), -1);
  EXPECT_EQ(map.raw_max(), 2);
  EXPECT_EQ(map.point().y(), 3);
  EXPECT_EQ(map.point().x(), 4);
  EXPECT_FALSE(map.constant());
  EXPECT_FALSE(map.has_region());
  EXPECT_EQ(map.encoding(), v1::MAP_ENCODING_PNG16);
  EXPECT_EQ(map.data(), "pixels");
  EXPECT_EQ(response.summary().timing().decode_seconds(), 1);
  EXPECT_EQ(response.summary().timing().queue_seconds(), 2);
  EXPECT_EQ(response.summary().timing().forward_seconds(), 3);
  EXPECT_EQ(response.summary().timing().backward_seconds(), 4);
  EXPECT_EQ(response.summary().timing().aggregate_seconds(), 5);
  EXPECT_EQ(response.summary().timing().render_seconds(), 6);
  EXPECT_EQ(response.summary().batch().requests(), 2);
  EXPECT_EQ(response.summary().batch().rows(), 5);
}

TEST(ConvertAnswerTest, ACroppedMapTellsItsRegion) {
  Explanation explanation;
  explanation.results = {GoodMap()};
  explanation.results[0].region = {.y = 1, .x = 2, .height = 3, .width = 4};
  v1::ComputeSaliencyResponse response;
  ToProto(std::move(explanation), "id", &response);
  EXPECT_EQ(response.maps(0).region().y(), 1);
  EXPECT_EQ(response.maps(0).region().x(), 2);
  EXPECT_EQ(response.maps(0).region().height(), 3);
  EXPECT_EQ(response.maps(0).region().width(), 4);
}

TEST(ConvertAnswerTest, AFailedResultHasItsStatusAndNames) {
  Explanation explanation;
  explanation.results = {GoodMap(), GoodMap()};
  explanation.results[0].status = absl::NotFoundError("layer \"x\" not found");
  explanation.results[1].status = absl::InternalError("/usr/lib/secret.cc:12");
  v1::ComputeSaliencyResponse response;
  ToProto(std::move(explanation), "id", &response);
  EXPECT_EQ(response.maps(0).status().code(), 5);
  EXPECT_EQ(response.maps(0).status().message(), "layer \"x\" not found");
  EXPECT_EQ(response.maps(0).layer(), "layer4");
  EXPECT_TRUE(response.maps(0).data().empty());
  EXPECT_EQ(response.maps(1).status().message(),
            "internal error, request id id");
}

TEST(ConvertAnswerTest, TheCallFailsOnlyWhenEveryResultFailed) {
  Explanation explanation;
  EXPECT_TRUE(OverallStatus(explanation).ok());
  explanation.results = {GoodMap(), GoodMap()};
  explanation.results[0].status = absl::NotFoundError("first");
  EXPECT_TRUE(OverallStatus(explanation).ok());
  explanation.results[1].status = absl::InvalidArgumentError("second");
  EXPECT_EQ(OverallStatus(explanation), absl::NotFoundError("first"));
}

}  // namespace
}  // namespace saliency::convert_answer_test
