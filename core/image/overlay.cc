// Where the map is cold the picture shows, paler and darker; where it is hot
// the colour of the map lies over it.  Both grow with the opacity.  The shade
// is as deep as it is so that over plain ground more of the map is always
// lighter: the dark end of a colour map would else darken a bright picture.

#include <algorithm>
#include <array>
#include <cmath>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/image/colour_map.h"
#include "core/image/map_view.h"
#include "core/image/render.h"
#include "core/image/text.h"

namespace saliency {
namespace {

// What a cold pixel loses of its brightness at opacity 1.  Its colour it loses
// whole.
constexpr double kShade = 0.6;
constexpr Rgb kBand = {24, 26, 31};
constexpr Rgb kBandText = {242, 243, 245};

// How a pixel is mixed at one level of the map, in units of 1/256:
// out = picture * own + luma * grey + colour.
struct Mix {
  int own = 0;
  int grey = 0;
  std::array<int, 3> colour = {};  // times 256
};

std::array<Mix, 256> MakeMixes(const ColourMap& map, float opacity) {
  std::array<Mix, 256> mixes;
  for (int level = 0; level < 256; ++level) {
    const double value = level / 255.0;
    const double heat = map.diverges ? std::abs(2 * value - 1) : value;
    const double share = opacity * heat;
    const double cold = opacity * (1 - heat);
    const double kept = (1 - share) * (1 - kShade * cold) * 256;
    Mix& mix = mixes[level];
    mix.own = static_cast<int>(std::lround(kept * (1 - cold)));
    mix.grey = static_cast<int>(std::lround(kept * cold));
    for (int c = 0; c < 3; ++c) {
      mix.colour[c] =
          static_cast<int>(std::lround(share * 256 * map.colours[level][c]));
    }
  }
  return mixes;
}

int Luma(const uint8_t* rgb) {  // Rec. 601
  return (77 * rgb[0] + 150 * rgb[1] + 29 * rgb[2]) >> 8;
}

void Paint(const Picture& picture, const MapView& map,
           const std::array<Mix, 256>& mixes, uint8_t* out) {
  const uint8_t* in = picture.rgb.data();
  for (const float value : map.values) {
    const Mix& mix = mixes[ColourLevel(value)];
    const int luma = mix.grey * Luma(in) + 128;
    for (int c = 0; c < 3; ++c) {
      const int sum = mix.own * in[c] + luma + mix.colour[c];
      out[c] = static_cast<uint8_t>(std::min(sum >> 8, 255));
    }
    in += 3;
    out += 3;
  }
}

// A white ring with a dark rim, to be seen on any ground.
absl::Status DrawRing(const OverlayOptions& options, int64_t top,
                      Picture& canvas) {
  return CatchAsStatus("drawing the point", [&] {
    cv::Mat below_band(static_cast<int>(canvas.height - top),
                       static_cast<int>(canvas.width), CV_8UC3,
                       canvas.rgb.data() + 3 * top * canvas.width);
    const cv::Point centre(static_cast<int>(options.point_x),
                           static_cast<int>(options.point_y));
    const int radius =
        std::max(4, std::min(below_band.rows, below_band.cols) / 32);
    const int thickness = std::max(1, radius / 5);
    cv::circle(below_band, centre, radius, cv::Scalar(16, 16, 20),
               thickness + 2 * std::max(1, thickness / 2), cv::LINE_AA);
    cv::circle(below_band, centre, radius, cv::Scalar(255, 255, 255), thickness,
               cv::LINE_AA);
    return absl::OkStatus();
  });
}

// The size at which the whole title fits if it is still legible then.
TextStyle TitleStyle(const std::string& title, int64_t band, int64_t room) {
  constexpr double kSmallest = 7;
  TextStyle style{.capital_height = std::max(band * 0.42, kSmallest),
                  .colour = kBandText};
  const int64_t width = TextWidth(title, style);
  if (width > room) {
    style.capital_height = std::max(
        std::floor(style.capital_height * 4 * room / width) / 4, kSmallest);
  }
  return style;
}

absl::Status DrawBand(const std::string& title, int64_t band, Picture& canvas) {
  for (int64_t i = 0; i < band * canvas.width; ++i) {
    std::copy(kBand.begin(), kBand.end(), &canvas.rgb[3 * i]);
  }
  const int64_t margin = std::min(band / 2, canvas.width / 16);
  const int64_t room = canvas.width - 2 * margin;
  const TextStyle style = TitleStyle(title, band, room);
  return DrawText(FitText(title, style, room), style, band / 2, margin, canvas);
}

absl::Status Check(const Picture& picture, const MapView& map,
                   const OverlayOptions& options) {
  RETURN_IF_ERROR(CheckMap(map));
  if (map.height != picture.height || map.width != picture.width) {
    return absl::InvalidArgumentError(
        absl::StrCat("a map of ", map.height, " x ", map.width,
                     " (height x width) does not lie on a picture of ",
                     picture.height, " x ", picture.width));
  }
  if (!(options.opacity >= 0 && options.opacity <= 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("opacity ", options.opacity, " is not in [0, 1]"));
  }
  if (options.mark_point &&
      (options.point_y < 0 || options.point_y >= picture.height ||
       options.point_x < 0 || options.point_x >= picture.width)) {
    return absl::InvalidArgumentError(
        absl::StrCat("point (", options.point_y, ", ", options.point_x,
                     ") is outside the picture of ", picture.height, " x ",
                     picture.width, " (height x width)"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Picture> Overlay(const Picture& picture, const MapView& map,
                                const OverlayOptions& options) {
  RETURN_IF_ERROR(Check(picture, map, options));
  ASSIGN_OR_RETURN(const ColourMap colours, MakeColourMap(options.colour_map));
  const int64_t band =
      options.title.empty()
          ? 0
          : std::clamp<int64_t>(picture.width / 20, 20, kMaxTitleBand);
  Picture canvas{.height = picture.height + band, .width = picture.width};
  canvas.rgb.resize(3 * canvas.height * canvas.width);
  Paint(picture, map, MakeMixes(colours, options.opacity),
        canvas.rgb.data() + 3 * band * canvas.width);
  if (options.mark_point) RETURN_IF_ERROR(DrawRing(options, band, canvas));
  if (band > 0) RETURN_IF_ERROR(DrawBand(options.title, band, canvas));
  return canvas;
}

absl::StatusOr<std::string> EncodeOverlayPng(const Picture& picture,
                                             const MapView& map,
                                             const OverlayOptions& options) {
  ASSIGN_OR_RETURN(const Picture overlay, Overlay(picture, map, options));
  return EncodePng(overlay);
}

}  // namespace saliency
