// Glyphs of any script, from the first of several font files that has them.
// What no file has is a box, as the first font draws one.  Characters stand
// side by side from left to right: scripts that join or turn are not shaped.
//
// Thread-compatible: a set of fonts belongs to one thread.

#ifndef SALIENCY_CORE_IMAGE_FONTS_H_
#define SALIENCY_CORE_IMAGE_FONTS_H_

#include <memory>
#include <opencv2/core.hpp>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace saliency {

class Fonts {
 public:
  // Opens those of `files` that are there and can be read, in order.
  explicit Fonts(absl::Span<const std::string> files);
  ~Fonts();
  Fonts(const Fonts&) = delete;
  Fonts& operator=(const Fonts&) = delete;

  bool empty() const;

  // Draws a line of UTF-8 whose capitals are `capital_height` pixels high, its
  // baseline at (y, x), into `coverage` [h,w] uint8, of which it keeps the
  // largest; null: measures alone.  Returns its width in pixels.
  // REQUIRES: !empty(); the text is well formed.
  double Draw(absl::string_view text, double capital_height, int y, int x,
              cv::Mat* coverage) const;

 private:
  struct Faces;
  const std::unique_ptr<Faces> faces_;
};

}  // namespace saliency

#endif  // SALIENCY_CORE_IMAGE_FONTS_H_
