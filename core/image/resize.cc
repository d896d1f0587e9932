// Bilinear resizing whose filter widens as the image shrinks, to the last bit
// what Pillow computes for 8-bit images.
//
// An output pixel o looks at the input around (o + 1/2) s, s = in / out,
// through a triangle of half width max(s, 1).  Its taps are normalised to 1 in
// double precision and then rounded to 22 fractional bits; each of the two
// passes (horizontal first) sums in 32-bit integers and rounds to 8 bits.  The
// rounding in between is part of the definition.
//
// The horizontal pass runs just ahead of the vertical one and keeps only the
// rows that the vertical filter spans: a very tall image that becomes wider
// would otherwise grow into an intermediate of many times its size.

#include "core/image/resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "core/image/preprocess.h"

namespace saliency {
namespace {

constexpr int kFractionBits = 22;
constexpr int32_t kOne = 1 << kFractionBits;
constexpr int32_t kHalf = kOne / 2;

// The inputs of one output pixel: [first, first + count), weighted by the taps
// that begin at `taps`.
struct Span {
  int64_t first = 0;
  int64_t count = 0;
  const int32_t* taps = nullptr;
};

// One axis of the resize, for the outputs [begin, begin + count).
class Axis {
 public:
  Axis(int64_t input, int64_t output, int64_t begin, int64_t count)
      : input_(input),
        scale_(static_cast<double>(input) / static_cast<double>(output)),
        support_(std::max(scale_, 1.0)),
        stride_(2 * static_cast<int64_t>(std::ceil(support_)) + 1) {
    spans_.resize(count);
    taps_.resize(count * stride_);
    std::vector<double> weights(stride_);
    for (int64_t i = 0; i < count; ++i) {
      spans_[i] = MakeSpan(begin + i, &taps_[i * stride_], weights);
    }
  }
  Axis(const Axis&) = delete;
  Axis& operator=(const Axis&) = delete;

  const Span& operator[](int64_t output) const { return spans_[output]; }
  int64_t size() const { return static_cast<int64_t>(spans_.size()); }
  // No span is longer.
  int64_t max_span() const { return std::min(stride_, input_); }

 private:
  Span MakeSpan(int64_t output, int32_t* taps, std::vector<double>& weights) {
    const double centre = (static_cast<double>(output) + 0.5) * scale_;
    const auto first =
        std::max<int64_t>(static_cast<int64_t>(centre - support_ + 0.5), 0);
    const auto end = std::min<int64_t>(
        static_cast<int64_t>(centre + support_ + 0.5), input_);
    const double steepness = 1.0 / support_;
    double sum = 0;
    for (int64_t i = first; i < end; ++i) {
      const double distance =
          (static_cast<double>(i) - centre + 0.5) * steepness;
      weights[i - first] = std::max(1.0 - std::abs(distance), 0.0);
      sum += weights[i - first];
    }
    for (int64_t i = 0; i < end - first; ++i) {
      taps[i] = static_cast<int32_t>(0.5 + weights[i] / sum * kOne);
    }
    return {.first = first, .count = end - first, .taps = taps};
  }

  int64_t input_;
  double scale_;
  double support_;
  int64_t stride_;
  std::vector<int32_t> taps_;
  std::vector<Span> spans_;
};

uint8_t Round(int32_t sum) {
  return static_cast<uint8_t>(std::min(sum >> kFractionBits, 255));
}

void ResizeRow(const uint8_t* row, const Axis& axis, uint8_t* out) {
  for (int64_t x = 0; x < axis.size(); ++x) {
    const Span& span = axis[x];
    const uint8_t* in = row + 3 * span.first;
    int32_t r = kHalf;
    int32_t g = kHalf;
    int32_t b = kHalf;
    for (int64_t i = 0; i < span.count; ++i) {
      r += in[3 * i] * span.taps[i];
      g += in[3 * i + 1] * span.taps[i];
      b += in[3 * i + 2] * span.taps[i];
    }
    out[3 * x] = Round(r);
    out[3 * x + 1] = Round(g);
    out[3 * x + 2] = Round(b);
  }
}

// Horizontally resized rows of the image, the last few of them kept.
class RowWindow {
 public:
  RowWindow(const Image& image, const Axis& columns, int64_t capacity)
      : image_(image),
        columns_(columns),
        capacity_(capacity),
        rows_(capacity * 3 * columns.size()) {}

  // REQUIRES: y does not lie `capacity` or more below the largest y so far.
  const uint8_t* Row(int64_t y) {
    for (next_ = std::max(next_, y + 1 - capacity_); next_ <= y; ++next_) {
      ResizeRow(image_.rgb.data() + 3 * next_ * image_.width, columns_,
                At(next_));
    }
    return At(y);
  }

 private:
  uint8_t* At(int64_t y) {
    return rows_.data() + y % capacity_ * 3 * columns_.size();
  }

  const Image& image_;
  const Axis& columns_;
  int64_t capacity_;
  int64_t next_ = 0;  // the first row not yet resized
  std::vector<uint8_t> rows_;
};

void AddRow(const uint8_t* row, int32_t tap, std::vector<int32_t>& sums) {
  const size_t count = sums.size();
  for (size_t i = 0; i < count; ++i) sums[i] += row[i] * tap;
}

}  // namespace

Image ResizeWindow(const Image& image, int64_t height, int64_t width,
                   const PixelRect& window) {
  const Axis columns(image.width, width, window.x, window.width);
  const Axis rows(image.height, height, window.y, window.height);
  RowWindow resized(image, columns, rows.max_span());
  Image result{.height = window.height, .width = window.width};
  result.rgb.resize(3 * window.height * window.width);
  std::vector<int32_t> sums(3 * window.width);
  for (int64_t y = 0; y < window.height; ++y) {
    std::fill(sums.begin(), sums.end(), kHalf);
    const Span& span = rows[y];
    for (int64_t i = 0; i < span.count; ++i) {
      AddRow(resized.Row(span.first + i), span.taps[i], sums);
    }
    uint8_t* out = result.rgb.data() + 3 * y * window.width;
    std::transform(sums.begin(), sums.end(), out, Round);
  }
  return result;
}

Image ResizeImage(const Image& image, int64_t height, int64_t width) {
  if (image.height == height && image.width == width) return image;
  return ResizeWindow(image, height, width, {.height = height, .width = width});
}

}  // namespace saliency
