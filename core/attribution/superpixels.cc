#include "core/attribution/superpixels.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

namespace saliency {
namespace {

constexpr int kRounds = 10;  // the paper's
constexpr int64_t kNobody = -1;

// [3,H,W] float32: CIELAB of sRGB under D65.
at::Tensor LabOf(const at::Tensor& rgb) {
  const at::Tensor wide = rgb.to(at::kDouble);
  const at::Tensor linear = at::where(
      wide > 0.04045, ((wide + 0.055) / 1.055).pow(2.4), wide / 12.92);
  // Of X, Y or Z over the white point's.
  const auto response = [&](double red, double green, double blue) {
    const at::Tensor sum =
        red * linear[0] + green * linear[1] + blue * linear[2];
    return at::where(sum > 0.008856, sum.pow(1.0 / 3), 7.787 * sum + 4.0 / 29);
  };
  const at::Tensor x = response(0.433953, 0.376219, 0.189828);
  const at::Tensor y = response(0.212671, 0.715160, 0.072169);
  const at::Tensor z = response(0.017758, 0.109477, 0.872766);
  return at::stack({116 * y - 16, 500 * (x - y), 200 * (y - z)})
      .to(at::kFloat)
      .contiguous();
}

// The grid that centres start on: at most `segments` cells, as square as may
// be.
struct CentreGrid {
  CentreGrid(int64_t segments, int64_t height, int64_t width) {
    const auto h = static_cast<double>(height);
    const auto w = static_cast<double>(width);
    const double side = std::sqrt(h * w / static_cast<double>(segments));
    rows = std::clamp<int64_t>(std::llround(h / side), 1,
                               std::min(segments, height));
    columns = std::clamp<int64_t>(segments / rows, 1, width);
    row_step = h / static_cast<double>(rows);
    column_step = w / static_cast<double>(columns);
  }

  int64_t rows = 1;
  int64_t columns = 1;
  double row_step = 1;  // pixels
  double column_step = 1;
};

// Position and colour: y, x, L, a, b.
using Features = std::array<double, 5>;

// The k-means of an image.
class Clustering {
 public:
  Clustering(const at::Tensor& lab, const SlicOptions& options)
      : lab_(lab),
        height_(lab.size(1)),
        width_(lab.size(2)),
        grid_(options.segments, height_, width_),
        distance_weight_(options.compactness * options.compactness /
                         (grid_.row_step * grid_.column_step)),
        centres_(grid_.rows * grid_.columns) {
    for (int64_t y = 0; y < height_; ++y) {
      for (int64_t x = 0; x < width_; ++x) {
        labels_.push_back(y * grid_.rows / height_ * grid_.columns +
                          x * grid_.columns / width_);
      }
    }
  }

  // The number of each pixel's centre.
  std::vector<int64_t> Run() && {
    MoveCentres();
    for (int round = 0; round < kRounds; ++round) {
      Assign();
      MoveCentres();
    }
    return std::move(labels_);
  }

 private:
  // A pixel that no centre looks at stays where it was.
  void Assign() {
    nearest_.assign(labels_.size(), std::numeric_limits<double>::infinity());
    for (std::size_t c = 0; c < centres_.size(); ++c) {
      const auto [top, bottom] =
          Around(centres_[c][0], grid_.row_step, height_);
      for (int64_t y = top; y < bottom; ++y) {
        OfferRow(static_cast<int64_t>(c), y);
      }
    }
  }

  // One step to either side.
  static std::pair<int64_t, int64_t> Around(double middle, double step,
                                            int64_t size) {
    return {std::max<int64_t>(std::llround(middle - step), 0),
            std::min<int64_t>(std::llround(middle + step) + 1, size)};
  }

  // Gives those pixels of a row to the centre to which none is nearer so far.
  void OfferRow(int64_t number, int64_t y) {
    const Features centre = centres_[number];
    const auto [left, right] = Around(centre[1], grid_.column_step, width_);
    const auto square = [](double apart) { return apart * apart; };
    const double down = square(static_cast<double>(y) - centre[0]);
    const int64_t plane = height_ * width_;
    for (int64_t x = left; x < right; ++x) {
      const int64_t index = y * width_ + x;
      const float* const colour = values_ + index;
      const double distance =
          distance_weight_ *
              (down + square(static_cast<double>(x) - centre[1])) +
          square(colour[0] - centre[2]) + square(colour[plane] - centre[3]) +
          square(colour[2 * plane] - centre[4]);
      if (distance >= nearest_[index]) continue;
      nearest_[index] = distance;
      labels_[index] = number;
    }
  }

  // To the means of their pixels; one without any stays.
  void MoveCentres() {
    std::vector<Features> sums(centres_.size(), Features{});
    std::vector<double> sizes(centres_.size(), 0);
    for (int64_t y = 0; y < height_; ++y) {
      for (int64_t x = 0; x < width_; ++x) {
        const int64_t label = labels_[y * width_ + x];
        const Features pixel = FeaturesOf(y, x);
        for (std::size_t f = 0; f < pixel.size(); ++f)
          sums[label][f] += pixel[f];
        ++sizes[label];
      }
    }
    for (std::size_t c = 0; c < sums.size(); ++c) {
      if (sizes[c] == 0) continue;
      for (double& feature : sums[c]) feature /= sizes[c];
      centres_[c] = sums[c];
    }
  }

  Features FeaturesOf(int64_t y, int64_t x) const {
    const int64_t plane = height_ * width_;
    const float* const pixel = values_ + y * width_ + x;
    return {static_cast<double>(y), static_cast<double>(x), pixel[0],
            pixel[plane], pixel[2 * plane]};
  }

  const at::Tensor lab_;
  const float* const values_ = lab_.data_ptr<float>();
  const int64_t height_;
  const int64_t width_;
  const CentreGrid grid_;
  const double distance_weight_;  // of squared pixels, against squared colour
  std::vector<Features> centres_;
  std::vector<int64_t> labels_;  // of each pixel, row by row
  std::vector<double> nearest_;  // its distance to that centre
};

// The pixels of an image, row by row, and which of them lie side by side.
struct PixelGrid {
  int64_t height = 0;
  int64_t width = 0;

  template <typename Visit>
  void VisitNeighbours(int64_t pixel, const Visit& visit) const {
    if (pixel >= width) visit(pixel - width);
    if (pixel % width > 0) visit(pixel - 1);
    if (pixel % width < width - 1) visit(pixel + 1);
    if (pixel < (height - 1) * width) visit(pixel + width);
  }
};

// The pixels of the label of `start` that hang together with it; marks them.
std::vector<int64_t> PieceOf(int64_t start, const PixelGrid& grid,
                             const std::vector<int64_t>& labels,
                             std::vector<bool>& seen) {
  std::vector<int64_t> piece = {start};
  seen[start] = true;
  for (std::size_t next = 0; next < piece.size(); ++next) {
    grid.VisitNeighbours(piece[next], [&](int64_t neighbour) {
      if (seen[neighbour] || labels[neighbour] != labels[start]) return;
      seen[neighbour] = true;
      piece.push_back(neighbour);
    });
  }
  return piece;
}

// Of each label the largest piece, of equal ones the first, stays; the pixels
// of the others go to the segment that reaches them in the fewest steps.
std::vector<int64_t> Connected(const std::vector<int64_t>& labels,
                               const PixelGrid& grid) {
  std::vector<std::vector<int64_t>> largest(
      1 + *std::max_element(labels.begin(), labels.end()));
  std::vector<bool> seen(labels.size(), false);
  for (std::size_t pixel = 0; pixel < labels.size(); ++pixel) {
    if (seen[pixel]) continue;
    std::vector<int64_t> piece =
        PieceOf(static_cast<int64_t>(pixel), grid, labels, seen);
    std::vector<int64_t>& best = largest[labels[pixel]];
    if (piece.size() > best.size()) best = std::move(piece);
  }
  std::vector<int64_t> connected(labels.size(), kNobody);
  std::vector<int64_t> reached;  // in that order
  for (const std::vector<int64_t>& piece : largest) {
    for (const int64_t pixel : piece) connected[pixel] = labels[pixel];
    reached.insert(reached.end(), piece.begin(), piece.end());
  }
  for (std::size_t next = 0; next < reached.size(); ++next) {
    const int64_t label = connected[reached[next]];
    grid.VisitNeighbours(reached[next], [&](int64_t neighbour) {
      if (connected[neighbour] != kNobody) return;
      connected[neighbour] = label;
      reached.push_back(neighbour);
    });
  }
  return connected;
}

// Numbers labels in the order in which they are met; returns how many.
int64_t Renumber(std::vector<int64_t>& labels) {
  std::vector<int64_t> numbers(
      1 + *std::max_element(labels.begin(), labels.end()), kNobody);
  int64_t count = 0;
  for (int64_t& label : labels) {
    if (numbers[label] == kNobody) numbers[label] = count++;
    label = numbers[label];
  }
  return count;
}

}  // namespace

Superpixels Slic(const at::Tensor& rgb, const SlicOptions& options) {
  const PixelGrid grid = {.height = rgb.size(1), .width = rgb.size(2)};
  std::vector<int64_t> labels =
      Connected(Clustering(LabOf(rgb), options).Run(), grid);
  const int64_t count = Renumber(labels);
  return {
      .labels = at::tensor(labels, at::kLong).view({grid.height, grid.width}),
      .count = count};
}

}  // namespace saliency
