#include "core/image/text.h"

#include <algorithm>
#include <cmath>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "core/base/status.h"

namespace saliency {
namespace {

// Hershey's strokes look ragged at the size of a caption, antialiased or not:
// they are drawn this many times larger and averaged down.
constexpr int kOversampling = 4;
constexpr int kFont = cv::FONT_HERSHEY_SIMPLEX;
constexpr double kUnitCapitalHeight = 21;  // of kFont at scale 1

struct Pen {
  double scale;
  int thickness;
};

Pen PenFor(const TextStyle& style) {
  const double height = style.capital_height * kOversampling;
  const double share = style.weight == TextWeight::kBold ? 0.19 : 0.125;
  return {
      .scale = height / kUnitCapitalHeight,
      .thickness = std::max(1, static_cast<int>(std::lround(height * share)))};
}

cv::Size Measure(const std::string& drawable, const Pen& pen) {
  return cv::getTextSize(drawable, kFont, pen.scale, pen.thickness, nullptr);
}

// Coverage of the text in [0,255] at kOversampling times its size.
struct Ink {
  cv::Mat coverage;
  int64_t margin = 0;  // left of the text and above its capitals, in pixels
};

Ink DrawInk(const std::string& drawable, const TextStyle& style) {
  const Pen pen = PenFor(style);
  const cv::Size size = Measure(drawable, pen);
  const auto margin =
      static_cast<int>(std::ceil(style.capital_height * 0.5)) + 1;
  const auto capitals = static_cast<int>(std::ceil(style.capital_height));
  Ink ink{.margin = margin};
  const int width = size.width / kOversampling + 1 + 2 * margin;
  const int height = capitals + 2 * margin;
  ink.coverage =
      cv::Mat::zeros(height * kOversampling, width * kOversampling, CV_8UC1);
  const cv::Point baseline(margin * kOversampling,
                           (margin + capitals) * kOversampling);
  cv::putText(ink.coverage, drawable, baseline, kFont, pen.scale,
              cv::Scalar(255), pen.thickness, cv::LINE_AA);
  return ink;
}

int MeanCoverage(const cv::Mat& coverage, int64_t y, int64_t x) {
  int sum = 0;
  for (int i = 0; i < kOversampling; ++i) {
    const uint8_t* row =
        coverage.ptr<uint8_t>(static_cast<int>(y * kOversampling + i));
    for (int j = 0; j < kOversampling; ++j) sum += row[x * kOversampling + j];
  }
  return sum / (kOversampling * kOversampling);
}

// Lays the ink, its corner at (top, left), over the picture.
void Blend(const cv::Mat& coverage, const Rgb& colour, int64_t top,
           int64_t left, Picture& picture) {
  const int64_t height = coverage.rows / kOversampling;
  const int64_t width = coverage.cols / kOversampling;
  for (int64_t y = std::max<int64_t>(0, -top);
       y < std::min(height, picture.height - top); ++y) {
    for (int64_t x = std::max<int64_t>(0, -left);
         x < std::min(width, picture.width - left); ++x) {
      const int share = MeanCoverage(coverage, y, x);
      uint8_t* pixel = &picture.rgb[3 * ((top + y) * picture.width + left + x)];
      for (int c = 0; c < 3; ++c) {
        pixel[c] = static_cast<uint8_t>(
            (pixel[c] * (255 - share) + colour[c] * share + 127) / 255);
      }
    }
  }
}

}  // namespace

std::string DrawableText(absl::string_view utf8) {
  std::string drawable;
  for (const char c : utf8) {
    const bool continues = (static_cast<uint8_t>(c) & 0xC0) == 0x80;
    if (continues) continue;
    drawable += absl::ascii_isprint(static_cast<uint8_t>(c)) ? c : '?';
  }
  return drawable;
}

int64_t TextWidth(absl::string_view text, const TextStyle& style) {
  if (text.empty()) return 0;
  const cv::Size size = Measure(DrawableText(text), PenFor(style));
  return (size.width + kOversampling - 1) / kOversampling;
}

std::string FitText(absl::string_view text, const TextStyle& style,
                    int64_t max_width) {
  const std::string drawable = DrawableText(text);
  if (TextWidth(drawable, style) <= max_width) return drawable;
  size_t fits = 0;
  size_t too_long = drawable.size();
  const auto cut = [&](size_t length) {
    return absl::StrCat(
        absl::StripTrailingAsciiWhitespace(drawable.substr(0, length)), "...");
  };
  if (TextWidth(cut(0), style) > max_width) return "";
  while (too_long - fits > 1) {
    const size_t middle = fits + (too_long - fits) / 2;
    (TextWidth(cut(middle), style) <= max_width ? fits : too_long) = middle;
  }
  return cut(fits);
}

absl::Status DrawText(absl::string_view text, const TextStyle& style, int64_t y,
                      int64_t x, Picture& picture) {
  if (text.empty()) return absl::OkStatus();
  return CatchAsStatus("drawing text", [&] {
    const Ink ink = DrawInk(DrawableText(text), style);
    const auto capitals = static_cast<int64_t>(std::ceil(style.capital_height));
    Blend(ink.coverage, style.colour, y - capitals / 2 - ink.margin,
          x - ink.margin, picture);
    return absl::OkStatus();
  });
}

}  // namespace saliency
