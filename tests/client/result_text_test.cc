#include "client/cli/result_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "client/cli/map_pixels.h"

#include "client/cli/map_pixels.h"

namespace saliency::result_text_test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

ImageAnswer Answer() {
  ImageAnswer answer;
  answer.path = "cat.jpg";
  answer.took = absl::Milliseconds(45);
  answer.response.mutable_summary()->mutable_model()->set_name("tiny");
  answer.response.mutable_summary()->mutable_model()->set_version(2);
  v1::SaliencyMap& map = *answer.response.add_maps();
  map.set_method("norm_grad");
  map.set_layer("layer4");
  map.mutable_explained_class()->set_class_index(281);
  map.mutable_explained_class()->set_label("tabby");
  map.mutable_explained_class()->set_probability(0.1F);
  map.set_score(14.25F);
  map.mutable_point()->set_y(12);
  map.mutable_point()->set_x(8);
  map.mutable_image_point()->set_y(120);
  map.mutable_image_point()->set_x(88);
  answer.files.resize(1);
  return answer;
}

TEST(ResultLineTest, TellsClassScorePointAndTime) {
  ImageAnswer answer = Answer();
  EXPECT_EQ(ResultLine(answer, 0),
            "cat.jpg: tabby (281) 10.0 %, score 14.25, norm_grad @ layer4, "
            "point y=120 x=88, 45 ms");
  answer.files[0].image = "out.png";
  answer.response.mutable_maps(0)->set_constant(true);
  answer.response.mutable_maps(0)->mutable_explained_class()->clear_label();
  EXPECT_EQ(ResultLine(answer, 0),
            "cat.jpg: class 281 10.0 %, score 14.25, norm_grad @ layer4, "
            "constant map, 45 ms -> out.png");
}

TEST(ResultLineTest, LayersThatWereLeftOutAreToldApart) {
  ImageAnswer answer = Answer();
  answer.combined.resize(1);
  for (const char* layer : {"layer1", "layer2", "layer3"}) {
    v1::LayerShare& share = *answer.combined[0].add_shares();
    share.set_layer(layer);
    share.set_weight(layer == std::string("layer3") ? 1 : 0);
    share.set_constant(share.weight() == 0);
  }
  answer.combined[0].mutable_shares(0)->set_warning("no gradient reaches it");
  EXPECT_THAT(ResultLine(answer, 0),
              HasSubstr("weights layer3 1 (constant: layer1, no gradient "
                        "reaches it; layer2), 45 ms"));
}

TEST(ResultLineTest, APlainValueHasNoPercentage) {
  ImageAnswer answer = Answer();
  v1::ClassScore& explained =
      *answer.response.mutable_maps(0)->mutable_explained_class();
  explained.clear_probability();
  explained.set_class_index(0);
  explained.set_label("age");
  explained.set_logit(31.25F);
  *answer.response.mutable_summary()->add_images()->add_top() = explained;
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
  ImageAnswer answer = Answer();
  answer.response.mutable_maps(0)->mutable_explained_class()->set_label(
      "two\nlines\x1b[2J");
  EXPECT_THAT(ResultLine(answer, 0), Not(HasSubstr("\n")));
  EXPECT_THAT(ResultLine(answer, 0), Not(HasSubstr("\x1b")));
}

TEST(ResultJsonTest, IsOneObjectOnOneLine) {
  const std::string text = ResultJson(Answer(), 0);
  EXPECT_THAT(text, Not(HasSubstr("\n")));
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json["image"], "cat.jpg");
  EXPECT_EQ(json["model"], "tiny");
  EXPECT_EQ(json["version"], 2);
  EXPECT_EQ(json["class"]["index"], 281);
  EXPECT_EQ(json["class"]["label"], "tabby");
  EXPECT_EQ(json["point"]["y"], 12);
  EXPECT_EQ(json["point"]["x"], 8);
  EXPECT_EQ(json["image_point"]["y"], 120);
  EXPECT_EQ(json["image_point"]["x"], 88);
  EXPECT_EQ(json["seconds"]["total"], 0.045);
  EXPECT_FALSE(json.contains("error"));
}

TEST(ResultJsonTest, FloatsHaveTheirShortestDigits) {
  EXPECT_THAT(ResultJson(Answer(), 0), HasSubstr("\"probability\":0.1}"));
}

TEST(ResultJsonTest, FailedMapCarriesItsCode) {
  ImageAnswer answer = Answer();
  answer.response.mutable_maps(0)->mutable_status()->set_code(9);
  answer.response.mutable_maps(0)->mutable_status()->set_message("not finite");
  const auto json = nlohmann::json::parse(ResultJson(answer, 0));
  EXPECT_EQ(json["error"]["code"], "FAILED_PRECONDITION");
  EXPECT_EQ(json["error"]["message"], "not finite");
  EXPECT_FALSE(json.contains("class"));
}

TEST(ResultJsonTest, BytesThatAreNotUtf8AreReplaced) {
  ImageAnswer answer = Answer();
  answer.path = "caf\xE9.jpg";
  const auto json = nlohmann::json::parse(ResultJson(answer, 0));
  EXPECT_EQ(json["image"], "caf\xEF\xBF\xBD.jpg");
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

// A map of the given numbers, as the server sends them.
v1::SaliencyMap MapOf(const std::vector<float>& values, float raw_min,
                      float raw_max) {
  v1::SaliencyMap map;
  map.set_height(1);
  map.set_width(static_cast<int>(values.size()));
  map.set_data(std::string(reinterpret_cast<const char*>(values.data()),
                           values.size() * sizeof(float)));
  map.set_raw_min(raw_min);
  map.set_raw_max(raw_max);
  return map;
}

Image Grey(int64_t width) {
  return {
      .height = 1, .width = width, .rgb = std::vector<uint8_t>(3 * width, 128)};
}

// The first row of an overlay without a title.
std::vector<int> Row(const v1::SaliencyMap& map, MapForm form) {
  const Image overlay =
      OverlayOn(Grey(map.width()), map, {.form = form, .title = false}).value();
  return {overlay.rgb.begin(), overlay.rgb.begin() + 3 * map.width()};
}

TEST(MapPixelsTest, ASignedMapIsCentredOnZeroHoweverItComes) {
  // The point's ring would lie over so small a map.
  v1::SaliencyMap raw = MapOf({-1, 0, 4, 1}, -1, 4);
  v1::SaliencyMap normalised = MapOf({0, 0.2F, 1, 0.4F}, -1, 4);
  for (v1::SaliencyMap* map : {&raw, &normalised})
    map->mutable_point()->set_x(2);
  EXPECT_EQ(ScaleOf(raw, MapForm::kRaw).limit(), 4);
  EXPECT_TRUE(ScaleOf(raw, MapForm::kRaw).is_signed);
  EXPECT_EQ(Row(raw, MapForm::kRaw), Row(normalised, MapForm::kNormalised));
}

// What the server says counts where all values happen to be positive.
TEST(MapPixelsTest, ASignedMapWithoutValuesBelowZeroDivergesAllTheSame) {
  v1::SaliencyMap map = MapOf({1, 2}, 1, 2);
  EXPECT_FALSE(ScaleOf(map, MapForm::kNormalised).is_signed);
  EXPECT_EQ(ScaleOf(map, MapForm::kNormalised).low, 1);
  map.set_is_signed(true);
  EXPECT_TRUE(ScaleOf(map, MapForm::kNormalised).is_signed);
  EXPECT_EQ(ScaleOf(map, MapForm::kNormalised).limit(), 2);
}

TEST(MapPixelsTest, AConstantMapLeavesTheImageAlone) {
  v1::SaliencyMap map = MapOf({3, 3, 3}, 3, 3);
  map.set_constant(true);
  EXPECT_THAT(Row(map, MapForm::kRaw), ::testing::Each(128));
}

TEST(MapPixelsTest, TheFilesNameSaysWhatKindItIs) {
  EXPECT_EQ(CodingFor("a.jpg"), ImageCoding::kJpeg);
  EXPECT_EQ(CodingFor("a.JPEG"), ImageCoding::kJpeg);
  EXPECT_EQ(CodingFor("a.webp"), ImageCoding::kWebp);
  EXPECT_EQ(CodingFor("a.png"), ImageCoding::kPng);
  EXPECT_EQ(CodingFor("jpg"), ImageCoding::kPng);
}

}  // namespace
}  // namespace saliency::result_text_test
