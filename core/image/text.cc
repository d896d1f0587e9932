#include "core/image/text.h"

#include <algorithm>
#include <cmath>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/base/utf8.h"
#include "core/image/fonts.h"

namespace saliency {
namespace {

// Drawn this many times larger and averaged down: glyphs then stand at parts of
// a pixel, and Hershey's strokes, taken where there is no font, look less
// ragged.
constexpr int kOversampling = 4;
constexpr int kStrokes = cv::FONT_HERSHEY_SIMPLEX;
constexpr double kUnitCapitalHeight = 21;  // of kStrokes at scale 1

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

// DejaVu has most alphabets, those behind it the scripts of East Asia and
// signs; each is used where it is installed.
std::vector<std::string> FontFiles(TextWeight weight) {
  std::vector<std::string> files;
  if (weight == TextWeight::kBold) {
    files = {"/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf"};
  }
  for (const char* file :
       {"/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
        "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
        "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
        "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
        "/usr/share/fonts/truetype/ancient-scripts/Symbola_hint.ttf"}) {
    files.emplace_back(file);
  }
  return files;
}

// FreeType's faces are not shared between threads.
const Fonts& FontsOfThread(TextWeight weight) {
  thread_local const Fonts regular(FontFiles(TextWeight::kRegular));
  thread_local const Fonts bold(FontFiles(TextWeight::kBold));
  return weight == TextWeight::kBold ? bold : regular;
}

// One '?' for each character that is not printable ASCII.
std::string AsciiOnly(absl::string_view drawable) {
  std::string ascii;
  for (const char c : drawable) {
    const bool continues = (static_cast<uint8_t>(c) & 0xC0) == 0x80;
    if (continues) continue;
    ascii += absl::ascii_isprint(static_cast<uint8_t>(c)) ? c : '?';
  }
  return ascii;
}

// In pixels of kOversampling.
int InkWidth(const std::string& drawable, const TextStyle& style) {
  const Fonts& fonts = FontsOfThread(style.weight);
  if (!fonts.empty()) {
    return static_cast<int>(
        std::ceil(fonts.Draw(drawable, style.capital_height * kOversampling, 0,
                             0, /*coverage=*/nullptr)));
  }
  const Pen pen = PenFor(style);
  return cv::getTextSize(AsciiOnly(drawable), kStrokes, pen.scale,
                         pen.thickness, nullptr)
      .width;
}

// Coverage of the text in [0,255] at kOversampling times its size.
struct Ink {
  cv::Mat coverage;
  int64_t margin = 0;  // left of the text and above its capitals, in pixels
};

Ink DrawInk(const std::string& drawable, const TextStyle& style) {
  const auto margin =
      static_cast<int>(std::ceil(style.capital_height * 0.5)) + 1;
  const auto capitals = static_cast<int>(std::ceil(style.capital_height));
  Ink ink{.margin = margin};
  const int width = InkWidth(drawable, style) / kOversampling + 1 + 2 * margin;
  const int height = capitals + 2 * margin;
  ink.coverage =
      cv::Mat::zeros(height * kOversampling, width * kOversampling, CV_8UC1);
  const cv::Point baseline(margin * kOversampling,
                           (margin + capitals) * kOversampling);
  const Fonts& fonts = FontsOfThread(style.weight);
  if (!fonts.empty()) {
    fonts.Draw(drawable, style.capital_height * kOversampling, baseline.y,
               baseline.x, &ink.coverage);
    return ink;
  }
  const Pen pen = PenFor(style);
  cv::putText(ink.coverage, AsciiOnly(drawable), baseline, kStrokes, pen.scale,
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

// Lays the ink, its corner at (top, left), over the image.
void Blend(const cv::Mat& coverage, const Rgb& colour, int64_t top,
           int64_t left, Image& image) {
  const int64_t height = coverage.rows / kOversampling;
  const int64_t width = coverage.cols / kOversampling;
  for (int64_t y = std::max<int64_t>(0, -top);
       y < std::min(height, image.height - top); ++y) {
    for (int64_t x = std::max<int64_t>(0, -left);
         x < std::min(width, image.width - left); ++x) {
      const int share = MeanCoverage(coverage, y, x);
      uint8_t* pixel = &image.rgb[3 * ((top + y) * image.width + left + x)];
      for (int c = 0; c < 3; ++c) {
        pixel[c] = static_cast<uint8_t>(
            (pixel[c] * (255 - share) + colour[c] * share + 127) / 255);
      }
    }
  }
}

}  // namespace

std::string DrawableText(absl::string_view text) {
  std::string drawable;
  for (size_t at = 0; at < text.size();) {
    const Utf8Character character = Utf8At(text, at);
    const size_t length = std::max<size_t>(character.length, 1);
    const bool is_shown = character.length > 0 && IsShown(character.code);
    absl::StrAppend(&drawable, is_shown ? text.substr(at, length) : "?");
    at += length;
  }
  return drawable;
}

int64_t TextWidth(absl::string_view text, const TextStyle& style) {
  if (text.empty()) return 0;
  return (InkWidth(DrawableText(text), style) + kOversampling - 1) /
         kOversampling;
}

std::string FitText(absl::string_view text, const TextStyle& style,
                    int64_t max_width) {
  const std::string drawable = DrawableText(text);
  if (TextWidth(drawable, style) <= max_width) return drawable;
  size_t fits = 0;
  size_t too_long = drawable.size();
  const auto cut = [&](size_t bytes) {
    return absl::StrCat(
        absl::StripTrailingAsciiWhitespace(Utf8Prefix(drawable, bytes)), "...");
  };
  if (TextWidth(cut(0), style) > max_width) return "";
  while (too_long - fits > 1) {
    const size_t middle = fits + (too_long - fits) / 2;
    (TextWidth(cut(middle), style) <= max_width ? fits : too_long) = middle;
  }
  return cut(fits);
}

bool DrawsAllScripts() { return !FontsOfThread(TextWeight::kRegular).empty(); }

absl::Status DrawText(absl::string_view text, const TextStyle& style, int64_t y,
                      int64_t x, Image& image) {
  if (text.empty()) return absl::OkStatus();
  return CatchAsStatus("drawing text", [&] {
    const Ink ink = DrawInk(DrawableText(text), style);
    const auto capitals = static_cast<int64_t>(std::ceil(style.capital_height));
    Blend(ink.coverage, style.colour, y - capitals / 2 - ink.margin,
          x - ink.margin, image);
    return absl::OkStatus();
  });
}

}  // namespace saliency
