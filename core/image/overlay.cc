// Where the map is at its zero the image shows as it is; the stronger the
// map, the more of its colour lies over the image.

#include <algorithm>
#include <array>
#include <cmath>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/image/band.h"
#include "core/image/colour_bar.h"
#include "core/image/colour_map.h"
#include "core/image/colour_places.h"
#include "core/image/map_view.h"
#include "core/image/render.h"
#include "core/image/text.h"

namespace saliency {
namespace {

// How a pixel is mixed at one place of the colours, in units of 1/256:
// out = image * own + colour.
struct Mix {
  int own = 0;
  std::array<int, 3> colour = {};  // times 256
};

std::array<Mix, kPlaces> MakeMixes(const ColourMap& map, float opacity) {
  std::array<Mix, kPlaces> mixes;
  for (int i = 0; i < kPlaces; ++i) {
    const double place = PlaceOfIndex(i);
    const double share = opacity * std::abs(place);
    const Rgb colour = ColourAt(map, place);
    Mix& mix = mixes[i];
    mix.own = static_cast<int>(std::lround((1 - share) * 256));
    for (int c = 0; c < 3; ++c) {
      mix.colour[c] = static_cast<int>(std::lround(share * 256 * colour[c]));
    }
  }
  return mixes;
}

// Paints the region of the map; the image is on the canvas already, its first
// row at `top`.
void Paint(const MapView& map, const ColourPlace& place,
           const std::array<Mix, kPlaces>& mixes, const PixelRect& region,
           int64_t top, Image& canvas) {
  for (int64_t y = region.y; y < region.y + region.height; ++y) {
    const float* value = &map.values[y * map.width + region.x];
    uint8_t* out = &canvas.rgb[3 * ((top + y) * canvas.width + region.x)];
    for (int64_t x = 0; x < region.width; ++x, ++value, out += 3) {
      const Mix& mix = mixes[PlaceIndex(place, *value)];
      for (int c = 0; c < 3; ++c) {
        const int sum = mix.own * out[c] + mix.colour[c] + 128;
        out[c] = static_cast<uint8_t>(std::min(sum >> 8, 255));
      }
    }
  }
}

// Where the image lies on the canvas.
struct Bands {
  int64_t above = 0;  // pixels
  int64_t below = 0;
};

// A white ring with a dark rim, to be seen on any ground.
absl::Status DrawRing(const OverlayOptions& options, const Bands& bands,
                      Image& canvas) {
  return CatchAsStatus("drawing the point", [&] {
    cv::Mat between(static_cast<int>(canvas.height - bands.above - bands.below),
                    static_cast<int>(canvas.width), CV_8UC3,
                    canvas.rgb.data() + 3 * bands.above * canvas.width);
    const cv::Point centre(static_cast<int>(options.point_x),
                           static_cast<int>(options.point_y));
    const int radius = std::max(4, std::min(between.rows, between.cols) / 32);
    const int thickness = std::max(1, radius / 5);
    cv::circle(between, centre, radius, cv::Scalar(16, 16, 20),
               thickness + 2 * std::max(1, thickness / 2), cv::LINE_AA);
    cv::circle(between, centre, radius, cv::Scalar(255, 255, 255), thickness,
               cv::LINE_AA);
    return absl::OkStatus();
  });
}

// The size at which the whole title fits if it is still legible then.
TextStyle TitleStyle(const std::string& title, int64_t band, int64_t room) {
  TextStyle style = BandTextStyle(band);
  const int64_t width = TextWidth(title, style);
  if (width > room) {
    style.capital_height = std::max(
        std::floor(style.capital_height * 4 * static_cast<double>(room) /
                   static_cast<double>(width)) /
            4,
        kSmallestBandText);
  }
  return style;
}

absl::Status DrawTitle(const std::string& title, int64_t band, Image& canvas) {
  FillBand(0, band, canvas);
  const int64_t margin = BandMargin(band, canvas.width);
  const int64_t room = canvas.width - 2 * margin;
  const TextStyle style = TitleStyle(title, band, room);
  return DrawText(FitText(title, style, room), style, band / 2, margin, canvas);
}

absl::Status Check(const Image& image, const MapView& map,
                   const OverlayOptions& options) {
  RETURN_IF_ERROR(CheckMap(map));
  if (map.height != image.height || map.width != image.width) {
    return absl::InvalidArgumentError(
        absl::StrCat("a map of ", map.height, " x ", map.width,
                     " (height x width) does not lie on an image of ",
                     image.height, " x ", image.width));
  }
  if (!(options.opacity >= 0 && options.opacity <= 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("opacity ", options.opacity, " is not in [0, 1]"));
  }
  if (options.mark_point &&
      (options.point_y < 0 || options.point_y >= image.height ||
       options.point_x < 0 || options.point_x >= image.width)) {
    return absl::InvalidArgumentError(
        absl::StrCat("point (", options.point_y, ", ", options.point_x,
                     ") is outside the image of ", image.height, " x ",
                     image.width, " (height x width)"));
  }
  return absl::OkStatus();
}

// The image with room for the bands.
Image MakeCanvas(const Image& image, const Bands& bands) {
  Image canvas{.height = image.height + bands.above + bands.below,
               .width = image.width};
  canvas.rgb.reserve(3 * canvas.height * canvas.width);
  canvas.rgb.resize(3 * bands.above * canvas.width);
  canvas.rgb.insert(canvas.rgb.end(), image.rgb.begin(), image.rgb.end());
  canvas.rgb.resize(3 * canvas.height * canvas.width);
  return canvas;
}

}  // namespace

absl::StatusOr<Image> Overlay(const Image& image, const MapView& map,
                              const OverlayOptions& options) {
  RETURN_IF_ERROR(Check(image, map, options));
  const ColourScale& scale = options.colours.scale;
  ASSIGN_OR_RETURN(const ColourMap colours,
                   ColourMapFor(options.colours.colour_map, scale.is_signed));
  ASSIGN_OR_RETURN(const PixelRect region,
                   RegionWithin(options.colours.region, map.height, map.width));
  const int64_t band = BandHeight(image.width);
  const Bands bands = {.above = options.title.empty() ? 0 : band,
                       .below = options.colour_bar ? band : 0};
  Image canvas = MakeCanvas(image, bands);
  Paint(map, PlaceOn(scale), MakeMixes(colours, options.opacity), region,
        bands.above, canvas);
  if (options.mark_point) RETURN_IF_ERROR(DrawRing(options, bands, canvas));
  if (bands.above > 0) {
    RETURN_IF_ERROR(DrawTitle(options.title, bands.above, canvas));
  }
  if (bands.below > 0) {
    RETURN_IF_ERROR(
        DrawColourBar(colours, scale, canvas.height - bands.below, canvas));
  }
  return canvas;
}

}  // namespace saliency
