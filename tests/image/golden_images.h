// The files of tests/golden/pil, and small images made on the spot.

#ifndef SALIENCY_TESTS_IMAGE_GOLDEN_IMAGES_H_
#define SALIENCY_TESTS_IMAGE_GOLDEN_IMAGES_H_

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "core/image/image.h"

namespace saliency {

// `path` is relative to tests/golden/pil.  A file that cannot be read fails the
// test and comes back empty.
std::string ReadGolden(const std::string& path);
Image ReadGoldenPpm(const std::string& path);

// Names in a folder of tests/golden/pil that end in `ending`, sorted.
std::vector<std::string> GoldenNames(const std::string& folder,
                                     const std::string& ending);
// The encoded images of decode/, without the .ppm beside each.
std::vector<std::string> DecodableNames();

// Where two images differ most, for failure messages.
struct Difference {
  int max = 256;  // 256: the sizes differ
  int64_t y = -1;
  int64_t x = -1;
  int channel = -1;

  friend std::ostream& operator<<(std::ostream& out, const Difference& diff);
};
Difference MaxDifference(const Image& a, const Image& b);

// Seeded noise.
Image NoiseImage(int64_t height, int64_t width, uint32_t seed);
// Soft shapes, as a photograph has them.
Image SceneImage(int64_t height, int64_t width);

}  // namespace saliency

#endif  // SALIENCY_TESTS_IMAGE_GOLDEN_IMAGES_H_
