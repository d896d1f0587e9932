#include "client/result_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "client/map_pixels.h"

namespace saliency::result_text_test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

PictureAnswer Answer() {
  PictureAnswer answer;
  answer.path = "cat.jpg";
  answer.took = absl::Milliseconds(45);
  answer.response.set_model("tiny");
  answer.response.set_version(2);
  v1::SaliencyMap& map = *answer.response.add_maps();
  map.set_method("norm_grad");
  map.set_layer("layer4");
  map.mutable_explained_class()->set_class_index(281);
  map.mutable_explained_class()->set_label("tabby");
  map.mutable_explained_class()->set_probability(0.1F);
  map.set_score(14.25F);
  map.mutable_point()->set_y(120);
  map.mutable_point()->set_x(88);
  answer.files.resize(1);
  return answer;
}

TEST(ResultLineTest, TellsClassScorePointAndTime) {
  PictureAnswer answer = Answer();
  EXPECT_EQ(ResultLine(answer, 0),
            "cat.jpg: tabby (281) 10.0 %, score 14.25, norm_grad @ layer4, "
            "point y=120 x=88, 45 ms");
  answer.files[0].png = "out.png";
  answer.response.mutable_maps(0)->set_constant(true);
  answer.response.mutable_maps(0)->mutable_explained_class()->clear_label();
  EXPECT_EQ(ResultLine(answer, 0),
            "cat.jpg: class 281 10.0 %, score 14.25, norm_grad @ layer4, "
            "constant map, 45 ms -> out.png");
}

TEST(ResultLineTest, APlainValueHasNoPercentage) {
  PictureAnswer answer = Answer();
  v1::ClassScore& explained =
      *answer.response.mutable_maps(0)->mutable_explained_class();
  explained.clear_probability();
  explained.set_class_index(0);
  explained.set_label("age");
  explained.set_logit(31.25F);
  *answer.response.add_pictures()->add_top() = explained;
  EXPECT_THAT(ResultLine(answer, 0),
              HasSubstr("cat.jpg: age (0) 31.25, score"));
  EXPECT_EQ(TopLine(answer), "cat.jpg: top age (0) 31.25");
  explained.clear_label();
  EXPECT_THAT(ResultLine(answer, 0), HasSubstr("cat.jpg: output 0 31.25, "));
  EXPECT_THAT(ResultLine(answer, 0), Not(HasSubstr("%")));
  EXPECT_EQ(ClassText(explained), "output 0 31.25");
  EXPECT_THAT(ResultJson(answer, 0), Not(HasSubstr("probability")));
}

TEST(ResultLineTest, LabelsCannotBreakTheLine) {
  PictureAnswer answer = Answer();
  answer.response.mutable_maps(0)->mutable_explained_class()->set_label(
      "two\nlines\x1b[2J");
  EXPECT_THAT(ResultLine(answer, 0), Not(HasSubstr("\n")));
  EXPECT_THAT(ResultLine(answer, 0), Not(HasSubstr("\x1b")));
}

TEST(ResultJsonTest, IsOneObjectOnOneLine) {
  const std::string text = ResultJson(Answer(), 0);
  EXPECT_THAT(text, Not(HasSubstr("\n")));
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json["picture"], "cat.jpg");
  EXPECT_EQ(json["model"], "tiny");
  EXPECT_EQ(json["version"], 2);
  EXPECT_EQ(json["class"]["index"], 281);
  EXPECT_EQ(json["class"]["label"], "tabby");
  EXPECT_EQ(json["point"]["y"], 120);
  EXPECT_EQ(json["point"]["x"], 88);
  EXPECT_EQ(json["seconds"]["total"], 0.045);
  EXPECT_FALSE(json.contains("error"));
}

TEST(ResultJsonTest, FloatsHaveTheirShortestDigits) {
  EXPECT_THAT(ResultJson(Answer(), 0), HasSubstr("\"probability\":0.1}"));
}

TEST(ResultJsonTest, FailedMapCarriesItsCode) {
  PictureAnswer answer = Answer();
  answer.response.mutable_maps(0)->mutable_status()->set_code(9);
  answer.response.mutable_maps(0)->mutable_status()->set_message("not finite");
  const auto json = nlohmann::json::parse(ResultJson(answer, 0));
  EXPECT_EQ(json["error"]["code"], "FAILED_PRECONDITION");
  EXPECT_EQ(json["error"]["message"], "not finite");
  EXPECT_FALSE(json.contains("class"));
}

TEST(ResultJsonTest, BytesThatAreNotUtf8AreReplaced) {
  PictureAnswer answer = Answer();
  answer.path = "caf\xE9.jpg";
  const auto json = nlohmann::json::parse(ResultJson(answer, 0));
  EXPECT_EQ(json["picture"], "caf\xEF\xBF\xBD.jpg");
  EXPECT_NO_THROW(nlohmann::json::parse(
      ErrorJson("caf\xE9.jpg", absl::InternalError("\xFF"))));
}

TEST(CheckMapsTest, RefusesDataOfAnotherSize) {
  v1::ComputeSaliencyResponse response;
  v1::SaliencyMap& map = *response.add_maps();
  map.set_encoding(v1::MAP_ENCODING_FLOAT32);
  map.set_height(2);
  map.set_width(3);
  map.set_data(std::string(24, '\0'));
  EXPECT_TRUE(CheckMaps(response).ok());
  map.set_data(std::string(20, '\0'));
  EXPECT_EQ(CheckMaps(response).code(), absl::StatusCode::kInternal);
  map.set_height(-2);
  map.set_width(-3);
  map.set_data(std::string(24, '\0'));
  EXPECT_EQ(CheckMaps(response).code(), absl::StatusCode::kInternal);
}

TEST(UnitMapTest, SignedRawMapIsCentredOnZero) {
  v1::SaliencyMap map;
  map.set_height(1);
  map.set_width(3);
  const float values[] = {-1, 0, 4};
  map.set_data(std::string(reinterpret_cast<const char*>(values), 12));
  map.set_raw_min(-1);
  map.set_raw_max(4);
  const UnitMap centred = ToUnitMap(map, {.normalised = false});
  EXPECT_EQ(centred.colour_map, "coolwarm");
  EXPECT_THAT(centred.values, ::testing::ElementsAre(0.375F, 0.5F, 1.0F));
  const UnitMap stretched =
      ToUnitMap(map, {.colour_map = "inferno", .normalised = false});
  EXPECT_THAT(stretched.values, ::testing::ElementsAre(0.0F, 0.2F, 1.0F));
}

TEST(UnitMapTest, ConstantRawMapGivesZeros) {
  v1::SaliencyMap map;
  map.set_height(1);
  map.set_width(1);
  const float value = 3;
  map.set_data(std::string(reinterpret_cast<const char*>(&value), 4));
  map.set_raw_min(3);
  map.set_raw_max(3);
  EXPECT_EQ(ToUnitMap(map, {.normalised = false}).values[0], 0);
}

}  // namespace
}  // namespace saliency::result_text_test
