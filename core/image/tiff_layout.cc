// Source: TIFF 6.0 (Adobe, 1992), sections 3-8 and 18.

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/image/image_layout.h"
#include "core/image/tiff_directory.h"

namespace saliency {
namespace {

enum Tag : uint32_t {
  kImageWidth = 256,
  kImageLength = 257,
  kBitsPerSample = 258,
  kPhotometric = 262,
  kSamplesPerPixel = 277,
  kPlanarConfiguration = 284,
  kTileWidth = 322,
  kTileLength = 323,
  kExtraSamples = 338,
  kSampleFormat = 339,
};

enum Photometric : uint32_t {
  kWhiteIsZero = 0,
  kBlackIsZero = 1,
  kRgb = 2,
  kPalette = 3,
  kCmyk = 5,
  kYcbcr = 6,
};

constexpr uint32_t kMaxSamples = 4;
constexpr uint32_t kMaxTileSide = 4096;
constexpr uint32_t kUnsignedSamples = 1;
constexpr uint32_t kPlanar = 2;
constexpr uint32_t kStraightAlpha = 2;

absl::Status BadTiff(absl::string_view problem) {
  return BadImage(ImageFormat::kTiff, problem);
}

absl::StatusOr<uint32_t> SameForAll(const TiffDirectory& directory, Tag tag,
                                    uint32_t missing) {
  ASSIGN_OR_RETURN(const std::vector<uint32_t> values,
                   directory.Values(tag, kMaxSamples));
  if (values.empty()) return missing;
  if (std::any_of(values.begin(), values.end(),
                  [&](uint32_t value) { return value != values[0]; })) {
    return BadTiff(
        absl::StrCat("differs between channels in tag ", uint32_t{tag}));
  }
  return values[0];
}

// A tile is decoded whole, however small the image that it belongs to.
absl::Status CheckTiles(const TiffDirectory& directory) {
  ASSIGN_OR_RETURN(const uint32_t width, directory.Value(kTileWidth, 1));
  ASSIGN_OR_RETURN(const uint32_t height, directory.Value(kTileLength, 1));
  if (width < 1 || height < 1 || width > kMaxTileSide ||
      height > kMaxTileSide) {
    return BadTiff(absl::StrCat("has tiles of ", width, " x ", height,
                                " pixels; each side must be in [1, ",
                                kMaxTileSide, "]"));
  }
  return absl::OkStatus();
}

struct Samples {
  uint32_t count = 1;
  uint32_t bits = 1;
  uint32_t photometric = kBlackIsZero;
  uint32_t planar = 1;
};

absl::StatusOr<Samples> ReadSamples(const TiffDirectory& directory) {
  Samples samples;
  ASSIGN_OR_RETURN(samples.count, directory.Value(kSamplesPerPixel, 1));
  ASSIGN_OR_RETURN(samples.bits, SameForAll(directory, kBitsPerSample, 1));
  ASSIGN_OR_RETURN(samples.planar, directory.Value(kPlanarConfiguration, 1));
  if (directory.Find(kPhotometric) == nullptr) {
    return BadTiff("does not say how its samples become colours (tag 262)");
  }
  ASSIGN_OR_RETURN(samples.photometric, directory.Value(kPhotometric, 0));
  ASSIGN_OR_RETURN(const uint32_t format,
                   SameForAll(directory, kSampleFormat, kUnsignedSamples));
  if (format != kUnsignedSamples) {
    return BadTiff(
        "has signed or floating-point samples; unsigned ones are read");
  }
  return samples;
}

absl::Status CheckSamples(const Samples& samples) {
  if (samples.photometric == kCmyk) {
    return BadTiff("is CMYK; grey and RGB images are read");
  }
  const bool is_colour =
      samples.photometric == kRgb || samples.photometric == kYcbcr;
  if (!is_colour && samples.photometric > kPalette) {
    return BadTiff(absl::StrCat("has photometric interpretation ",
                                samples.photometric,
                                "; 0, 1, 2, 3 and 6 are read"));
  }
  const uint32_t wanted = is_colour ? 3 : 1;
  const bool has_alpha = samples.photometric == kRgb && samples.count == 4;
  if (samples.count != wanted && !has_alpha) {
    return BadTiff(absl::StrCat("has ", samples.count,
                                " samples per pixel, not ", wanted));
  }
  if (samples.bits == 16) {
    // The decoder hands out 16-bit samples as they are stored.
    const bool plain =
        samples.photometric == kBlackIsZero ||
        (samples.photometric == kRgb && samples.planar != kPlanar);
    return plain ? absl::OkStatus()
                 : BadTiff(
                       "has 16-bit samples that are neither plain grey nor "
                       "interleaved RGB");
  }
  if (samples.bits == 8 || (!is_colour && samples.bits == 1)) {
    return absl::OkStatus();
  }
  return BadTiff(absl::StrCat("has ", samples.bits,
                              " bits per sample; 1 (grey), 8 and 16 are read"));
}

// The decoder multiplies 8-bit colours by their alpha itself.
absl::StatusOr<AlphaMeaning> ReadAlpha(const TiffDirectory& directory,
                                       const Samples& samples) {
  if (samples.bits == 8) return AlphaMeaning::kPremultiplied;
  ASSIGN_OR_RETURN(const std::vector<uint32_t> extra,
                   directory.Values(kExtraSamples, kMaxSamples));
  return !extra.empty() && extra[0] == kStraightAlpha
             ? AlphaMeaning::kStraight
             : AlphaMeaning::kPremultiplied;
}

}  // namespace

absl::StatusOr<ImageLayout> ReadTiffLayout(absl::string_view bytes) {
  ImageLayout layout{.header = {.format = ImageFormat::kTiff}};
  ASSIGN_OR_RETURN(const TiffDirectory directory, ReadTiffDirectory(bytes));
  ASSIGN_OR_RETURN(const uint32_t width, directory.Value(kImageWidth, 0));
  ASSIGN_OR_RETURN(const uint32_t height, directory.Value(kImageLength, 0));
  RETURN_IF_ERROR(SetSize(height, width, layout));
  RETURN_IF_ERROR(CheckTiles(directory));
  ASSIGN_OR_RETURN(const Samples samples, ReadSamples(directory));
  RETURN_IF_ERROR(CheckSamples(samples));
  ASSIGN_OR_RETURN(layout.alpha, ReadAlpha(directory, samples));
  ASSIGN_OR_RETURN(const uint32_t orientation,
                   directory.Value(kTiffOrientation, 1));
  layout.orientation = OrientationFromTag(orientation);
  if (const TiffDirectory::Entry* entry = directory.Find(kTiffOrientation)) {
    layout.tiff_orientation_entry = entry->offset;
  }
  return layout;
}

}  // namespace saliency
