// Lines of text on an image: antialiased, measured, and cut where they do not
// fit.  UTF-8 of any script in the fonts that are installed (fonts-dejavu-core,
// fonts-droid-fallback); without any, strokes of ASCII with a '?' for every
// other character.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_IMAGE_TEXT_H_
#define SALIENCY_CORE_IMAGE_TEXT_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "core/image/colour_map.h"
#include "core/image/image.h"

namespace saliency {

enum class TextWeight { kRegular, kBold };

struct TextStyle {
  double capital_height = 9;  // pixels, of an "H"
  TextWeight weight = TextWeight::kRegular;
  Rgb colour = {0, 0, 0};
};

// One '?' for each character that cannot be shown and each byte that is no
// UTF-8.
std::string DrawableText(absl::string_view text);

// In pixels, rounded up.
int64_t TextWidth(absl::string_view text, const TextStyle& style);

// `text`, or as much of its beginning as fits `max_width` with "..." after it;
// empty where not even the dots fit.
std::string FitText(absl::string_view text, const TextStyle& style,
                    int64_t max_width);

// Draws `text` with its left edge at `x` and the middle of its capitals at `y`.
// What lies outside the image is not drawn.
absl::Status DrawText(absl::string_view text, const TextStyle& style, int64_t y,
                      int64_t x, Image& image);

// Whether a font was found; if not, only ASCII can be drawn.
bool DrawsAllScripts();

}  // namespace saliency

#endif  // SALIENCY_CORE_IMAGE_TEXT_H_
