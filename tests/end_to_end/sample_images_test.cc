// Where the maps of voc-emoji lie on its sample images: on the object
// asked for, and on the image as it is displayed.

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/evaluate/voc_folder.h"
#include "core/image/image.h"
#include "core/image/render.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/end_to_end/server_environment.h"
#include "tests/end_to_end/wire.h"

namespace saliency::sample_images_test {
namespace {

ServerEnvironment& environment = UseEmojiModel();

std::vector<std::string> SampleNames() {
  std::vector<std::string> names;
  for (const auto& entry :
       std::filesystem::directory_iterator(SampleFolder())) {
    if (entry.path().extension() == ".jpg") {
      names.push_back(entry.path().stem());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

VocAnnotation AnnotationOf(const std::string& name) {
  return ParseVocAnnotation(
             ReadBytes(absl::StrCat(SampleFolder(), "/", name, ".xml")))
      .value();
}

bool Holds(const PixelRect& box, const v1::Point& point) {
  return point.y() >= box.y && point.y() < box.y + box.height &&
         point.x() >= box.x && point.x() < box.x + box.width;
}

// The point of each category of an image, from one request.
std::map<std::string, v1::Point> Points(const std::string& name,
                                        const std::set<std::string>& categories,
                                        const std::string& method,
                                        const std::string& layer) {
  v1::ComputeSaliencyRequest request;
  *request.mutable_input() =
      ImageInput(absl::StrCat(SampleFolder(), "/", name, ".jpg"));
  for (const std::string& category : categories) {
    *request.add_targets() = LabelTarget(category);
  }
  *request.add_attributions() = At(method, {layer});
  request.mutable_output()->set_encoding(v1::MAP_ENCODING_NONE);
  const auto response = environment.client().ComputeSaliency(request);
  EXPECT_TRUE(response.ok()) << response.status();
  std::map<std::string, v1::Point> points;
  if (!response.ok()) return points;
  for (const v1::SaliencyMap& map : response->maps()) {
    EXPECT_EQ(map.status().code(), 0) << map.status().message();
    points[map.explained_class().label()] = map.image_point();
  }
  return points;
}

// How the maps of all categories of all samples point.
struct Pointing {
  int asked = 0;
  int hits = 0;
  int images_with_two_hits = 0;
};

Pointing PlayOnSamples(const std::string& method, const std::string& layer) {
  Pointing pointing;
  for (const std::string& name : SampleNames()) {
    const VocAnnotation annotation = AnnotationOf(name);
    std::set<std::string> categories;
    for (const VocObject& object : annotation.objects) {
      categories.insert(object.category);
    }
    int hits = 0;
    for (const auto& [category, point] :
         Points(name, categories, method, layer)) {
      const bool hit = std::any_of(
          annotation.objects.begin(), annotation.objects.end(),
          [&, &wanted = category, &at = point](const VocObject& object) {
            return object.category == wanted && Holds(object.box, at);
          });
      ++pointing.asked;
      if (hit) ++hits;
    }
    pointing.hits += hits;
    if (hits >= 2) ++pointing.images_with_two_hits;
  }
  std::printf("%s at %s: %d of %d points on the object\n", method.c_str(),
              layer.c_str(), pointing.hits, pointing.asked);
  return pointing;
}

TEST(SampleImagesTest, MapsOfTwoClassesPointAtTheirObjects) {
  for (const auto& [method, layer] :
       std::vector<std::pair<std::string, std::string>>{
           {"linear_approximation", "layer3"},
           {"linear_approximation", "layer4"},
           {"grad_cam", "layer4"}}) {
    SCOPED_TRACE(absl::StrCat(method, " at ", layer));
    const Pointing pointing = PlayOnSamples(method, layer);
    EXPECT_GE(pointing.asked, 12) << "six images with two or more classes";
    EXPECT_GE(pointing.hits * 10, pointing.asked * 7) << "most of them";
    EXPECT_GE(pointing.images_with_two_hits, 4);
  }
}

// The point of a wrong class does not lie there: the maps tell classes apart.
TEST(SampleImagesTest, MapsOfAbsentClassesDoNot) {
  const std::string name = "dog-tvmonitor";
  const VocAnnotation annotation = AnnotationOf(name);
  int on_dogs = 0;
  const auto points =
      Points(name, {"bus", "cat", "horse", "sheep", "boat", "train", "chair"},
             "linear_approximation", "layer4");
  ASSERT_EQ(points.size(), 7U);
  for (const auto& [category, point] : points) {
    on_dogs += std::any_of(annotation.objects.begin(), annotation.objects.end(),
                           [&at = point](const VocObject& object) {
                             return Holds(object.box, at);
                           });
  }
  EXPECT_LT(on_dogs, 7);
}

// A JPEG with an EXIF block that says how it is to be turned: SOI, APP1 with a
// TIFF of one entry (tag 0112, SHORT, one value), the rest as it was.
std::string WithOrientation(const std::string& jpeg, int orientation) {
  std::string tiff("MM\0\x2A\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0", 19);
  tiff += static_cast<char>(orientation);
  tiff += std::string("\0\0\0\0\0\0", 6);
  const std::string block = std::string("Exif\0\0", 6) + tiff;
  const size_t length = block.size() + 2;
  std::string marker = "\xFF\xE1";
  marker += static_cast<char>(length >> 8);
  marker += static_cast<char>(length & 0xFF);
  return jpeg.substr(0, 2) + marker + block + jpeg.substr(2);
}

// The image as a viewer shows it: pixel (y, x) of the result comes from where
// the standard puts it (EXIF 2.3, table 6: which side row 0 and column 0 are).
Image Displayed(const Image& stored, int orientation) {
  const bool turned = orientation >= 5;
  Image shown;
  shown.height = turned ? stored.width : stored.height;
  shown.width = turned ? stored.height : stored.width;
  shown.rgb.resize(stored.rgb.size());
  for (int64_t y = 0; y < stored.height; ++y) {
    for (int64_t x = 0; x < stored.width; ++x) {
      const int64_t bottom = stored.height - 1 - y;
      const int64_t right = stored.width - 1 - x;
      const std::array<std::pair<int64_t, int64_t>, 8> places = {
          {{y, x},           // 1: row 0 top, column 0 left
           {y, right},       // 2: top, right
           {bottom, right},  // 3: bottom, right
           {bottom, x},      // 4: bottom, left
           {x, y},           // 5: left, top
           {x, bottom},      // 6: right, top
           {right, bottom},  // 7: right, bottom
           {right, y}}};     // 8: left, bottom
      const auto [to_y, to_x] = places[orientation - 1];
      for (int64_t c = 0; c < 3; ++c) {
        shown.rgb[3 * (to_y * shown.width + to_x) + c] =
            stored.rgb[3 * (y * stored.width + x) + c];
      }
    }
  }
  return shown;
}

class OrientationTest : public ::testing::TestWithParam<int> {};

TEST_P(OrientationTest, MapLiesOnTheImageAsDisplayed) {
  const std::string jpeg = ReadBytes(SampleFolder() + "/dog-tvmonitor.jpg");
  const Image stored = DecodeImage(jpeg, DecodeLimits()).value();
  const Image shown = Displayed(stored, GetParam());
  v1::ComputeSaliencyRequest request;
  *request.add_targets() = LabelTarget("tvmonitor");
  *request.add_attributions() = At("linear_approximation", {"layer3"});
  request.mutable_output()->set_named_size(v1::NAMED_SIZE_IMAGE);
  request.mutable_input()->set_image(WithOrientation(jpeg, GetParam()));
  const auto turned = environment.client().ComputeSaliency(request);
  ASSERT_TRUE(turned.ok()) << turned.status();
  request.mutable_input()->set_image(EncodePng(shown).value());
  const auto upright = environment.client().ComputeSaliency(request);
  ASSERT_TRUE(upright.ok()) << upright.status();
  EXPECT_EQ(turned->summary().images(0).height(), shown.height);
  EXPECT_EQ(turned->summary().images(0).width(), shown.width);
  EXPECT_EQ(turned->maps(0).height(), shown.height);
  EXPECT_EQ(turned->maps(0).width(), shown.width);
  EXPECT_EQ(turned->maps(0).data(), upright->maps(0).data()) << "bit for bit";
  EXPECT_EQ(turned->maps(0).point().y(), upright->maps(0).point().y());
  EXPECT_EQ(turned->maps(0).point().x(), upright->maps(0).point().x());
}

INSTANTIATE_TEST_SUITE_P(All, OrientationTest, ::testing::Range(1, 9));

}  // namespace
}  // namespace saliency::sample_images_test
