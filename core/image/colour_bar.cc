#include "core/image/colour_bar.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "absl/strings/str_format.h"
#include "core/base/status.h"
#include "core/image/band.h"
#include "core/image/text.h"

namespace saliency {
namespace {

constexpr int64_t kLeastStrip = 24;  // pixels; with less there are no numbers
constexpr Rgb kZeroInk = {40, 44, 52};

// "0" as "0", 0.0123456 as "0.0123".
std::string Number(double value) { return absl::StrFormat("%.3g", value); }

// Rows and columns of the colours themselves.
struct Strip {
  int64_t top = 0;
  int64_t height = 0;
  int64_t left = 0;
  int64_t width = 0;
};

void FillStrip(const ColourMap& colours, const ColourScale& scale,
               const Strip& strip, Image& canvas) {
  const double last =
      static_cast<double>(std::max<int64_t>(strip.width - 1, 1));
  for (int64_t x = 0; x < strip.width; ++x) {
    const double share = static_cast<double>(x) / last;
    const Rgb colour =
        ColourAt(colours, scale.is_signed ? 2 * share - 1 : share);
    for (int64_t y = strip.top; y < strip.top + strip.height; ++y) {
      std::copy(colour.begin(), colour.end(),
                &canvas.rgb[3 * (y * canvas.width + strip.left + x)]);
    }
  }
}

}  // namespace

absl::Status DrawColourBar(const ColourMap& colours, const ColourScale& scale,
                           int64_t top, Image& canvas) {
  const int64_t band = canvas.height - top;
  FillBand(top, band, canvas);
  const int64_t margin = BandMargin(band, canvas.width);
  const TextStyle style = BandTextStyle(band);
  // A map that says nothing has one value.
  const bool one = !(scale.high > scale.low);
  const bool both = scale.is_signed && !one;
  const std::string low = Number(both ? -scale.limit() : scale.low);
  const std::string high = Number(both ? scale.limit() : scale.high);
  const int64_t low_width = TextWidth(low, style);
  const int64_t high_width = TextWidth(high, style);
  Strip strip = {.height = std::max<int64_t>(1, band / 2),
                 .left = margin,
                 .width = canvas.width - 2 * margin};
  strip.top = top + (band - strip.height) / 2;
  const int64_t gap = band / 4;
  const int64_t room = strip.width - low_width - high_width - 2 * gap;
  const int64_t middle = top + band / 2;
  const bool numbers = room >= kLeastStrip;
  if (numbers) {
    RETURN_IF_ERROR(DrawText(low, style, middle, margin, canvas));
    RETURN_IF_ERROR(DrawText(high, style, middle,
                             canvas.width - margin - high_width, canvas));
    strip.left += low_width + gap;
    strip.width = room;
  }
  FillStrip(colours, scale, strip, canvas);
  if (!numbers || !both) return absl::OkStatus();
  TextStyle ink = style;
  ink.colour = kZeroInk;
  return DrawText("0", ink, middle,
                  strip.left + (strip.width - TextWidth("0", ink)) / 2, canvas);
}

}  // namespace saliency
