#include "tests/image/golden_images.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <sstream>

namespace saliency {
namespace {

std::filesystem::path Root() { return SALIENCY_GOLDEN_PIL_DIR; }

}  // namespace

std::string ReadGolden(const std::string& path) {
  std::ifstream file(Root() / path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

Image ReadGoldenPpm(const std::string& path) {
  const std::string bytes = ReadGolden(path);
  std::istringstream text(bytes);
  std::string magic;
  int max_value = 0;
  Image image;
  text >> magic >> image.width >> image.height >> max_value;
  EXPECT_EQ(magic, "P6") << path;
  EXPECT_EQ(max_value, 255) << path;
  const auto start = static_cast<size_t>(text.tellg()) + 1;
  image.rgb.assign(bytes.begin() + static_cast<int64_t>(start), bytes.end());
  EXPECT_EQ(image.rgb.size(), 3 * image.height * image.width) << path;
  return image;
}

std::vector<std::string> GoldenNames(const std::string& folder,
                                     const std::string& ending) {
  std::vector<std::string> names;
  for (const auto& entry :
       std::filesystem::directory_iterator(Root() / folder)) {
    const std::string name = entry.path().filename();
    if (name.size() >= ending.size() &&
        name.substr(name.size() - ending.size()) == ending) {
      names.push_back(name);
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> DecodableNames() {
  std::vector<std::string> names = GoldenNames("decode", ".ppm");
  for (std::string& name : names) name.resize(name.size() - 4);
  EXPECT_GE(names.size(), 70U);
  return names;
}

std::ostream& operator<<(std::ostream& out, const Difference& diff) {
  return out << diff.max << " at y " << diff.y << " x " << diff.x << " channel "
             << diff.channel;
}

Difference MaxDifference(const Image& a, const Image& b) {
  if (a.height != b.height || a.width != b.width ||
      a.rgb.size() != b.rgb.size()) {
    return {};
  }
  Difference worst{.max = 0};
  for (size_t i = 0; i < a.rgb.size(); ++i) {
    const int difference = std::abs(a.rgb[i] - b.rgb[i]);
    if (difference > worst.max) {
      const auto pixel = static_cast<int64_t>(i / 3);
      worst = {.max = difference,
               .y = pixel / a.width,
               .x = pixel % a.width,
               .channel = static_cast<int>(i % 3)};
    }
  }
  return worst;
}

Image NoiseImage(int64_t height, int64_t width, uint32_t seed) {
  std::mt19937 random(seed);
  Image image{.height = height, .width = width};
  image.rgb.resize(3 * height * width);
  for (uint8_t& value : image.rgb) value = static_cast<uint8_t>(random());
  return image;
}

Image SceneImage(int64_t height, int64_t width) {
  Image image{.height = height, .width = width};
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      const double v = static_cast<double>(y) / static_cast<double>(height);
      const double u = static_cast<double>(x) / static_cast<double>(width);
      const double wave = 40 * std::sin(9 * u + 4 * v) * std::cos(7 * v);
      for (const double tone : {200 - 120 * v, 90 + 110 * u, 60 + 140 * v}) {
        image.rgb.push_back(
            static_cast<uint8_t>(std::clamp(tone + wave, 0.0, 255.0)));
      }
    }
  }
  return image;
}

}  // namespace saliency
