#include "core/model/winograd.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <vector>

#include "core/model/winograd_lines.h"

namespace saliency {
namespace {

using winograd::FromGradient;
using winograd::FromInput;
using winograd::FromWeight;
using winograd::kLanes;
using winograd::kPoints;
using winograd::kTaps;
using winograd::kTile;
using winograd::RunBothAxes;
using winograd::ToOutput;
using winograd::ToWeight;

constexpr int64_t kTapsOfWeight = kTaps * kTaps;
// Tiles of a channel whose points are written together: stores of one cache
// line at each of 36 places take twice as long.
constexpr int64_t kRun = 4 * kLanes;
// Bytes of transformed tensors that stay in the cache until they are
// multiplied.
constexpr int64_t kStripBytes = 6 << 20;

int64_t DivideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Along one axis.
int64_t OutputSide(int64_t side, int64_t padding) {
  return side + 2 * padding - (kTaps - 1);
}

// The top left output of a tile, in a row of the batch.
struct Place {
  int64_t row, top, left;
};

// The tiles of all rows' outputs, one after the other.
struct Tiles {
  Tiles(int64_t rows, int64_t height, int64_t width)
      : down(DivideUp(height, kTile)),
        across(DivideUp(width, kTile)),
        count(rows * down * across) {}

  Place At(int64_t tile) const {
    return {tile / (down * across), tile / across % down * kTile,
            tile % across * kTile};
  }

  int64_t down, across, count;
};

// Tiles that are transformed and multiplied at a time, a multiple of kLanes: as
// much as the cache holds, but no less than what is read anew each time.
// REQUIRES: tiles.count > 0.
int64_t StripOf(const Tiles& tiles, int64_t channels, int64_t bytes_each_time) {
  const int64_t blocks = DivideUp(tiles.count, kLanes);
  const auto bytes_of_block =
      static_cast<int64_t>(sizeof(float)) * kPoints * kLanes * channels;
  const int64_t strips =
      DivideUp(blocks * bytes_of_block, std::max(kStripBytes, bytes_each_time));
  return DivideUp(blocks, strips) * kLanes;
}

std::vector<Place> PlacesOf(const Tiles& tiles, int64_t first, int64_t strip) {
  std::vector<Place> places;
  const int64_t end = std::min(tiles.count, first + strip);
  for (int64_t tile = first; tile < end; ++tile) {
    places.push_back(tiles.At(tile));
  }
  return places;
}

// The planes of a contiguous x [R,C,H,W].
struct Planes {
  explicit Planes(const at::Tensor& x)
      : values(x.data_ptr<float>()),
        channels(x.size(1)),
        height(x.size(2)),
        width(x.size(3)) {}

  float* At(int64_t row, int64_t channel) const {
    return values + (row * channels + channel) * height * width;
  }

  float* values;
  int64_t channels, height, width;
};

// kSize x kSize values of a plane from (top, left), zeros beyond it, to
// [kSize^2][kLanes] at one lane.
template <int64_t kSize>
void GatherLane(const float* plane, int64_t height, int64_t width, int64_t top,
                int64_t left, float* lane) {
  if (top >= 0 && left >= 0 && top + kSize <= height && left + kSize <= width) {
    const float* from = plane + top * width + left;
    for (int64_t i = 0; i < kSize; ++i) {
      for (int64_t j = 0; j < kSize; ++j) {
        lane[(i * kSize + j) * kLanes] = from[i * width + j];
      }
    }
    return;
  }
  for (int64_t i = 0; i < kSize; ++i) {
    for (int64_t j = 0; j < kSize; ++j) {
      const int64_t y = top + i, x = left + j;
      const bool is_inside = y >= 0 && y < height && x >= 0 && x < width;
      lane[(i * kSize + j) * kLanes] = is_inside ? plane[y * width + x] : 0;
    }
  }
}

// The kLanes places from `first` on, of one channel; zeros beyond the last.
template <int64_t kSize>
void GatherBlock(const Planes& x, int64_t channel,
                 const std::array<int64_t, 2>& padding,
                 const std::vector<Place>& places, int64_t first,
                 float* block) {
  const auto count = static_cast<int64_t>(places.size());
  for (int64_t lane = 0; lane < kLanes; ++lane) {
    if (first + lane < count) {
      const Place& place = places[first + lane];
      GatherLane<kSize>(x.At(place.row, channel), x.height, x.width,
                        place.top - padding[0], place.left - padding[1],
                        block + lane);
    } else {
      for (int64_t i = 0; i < kSize * kSize; ++i) block[i * kLanes + lane] = 0;
    }
  }
}

// The tiles at `places` of x, moved by -padding, to `out` [kPoints,C,strip];
// strip is a multiple of kLanes.
template <typename Line>
void SpreadTiles(const Planes& x, const std::array<int64_t, 2>& padding,
                 const std::vector<Place>& places, const at::Tensor& out) {
  const int64_t strip = out.size(2);
  float* to = out.data_ptr<float>();
  at::parallel_for(0, x.channels, 1, [&](int64_t begin, int64_t end) {
    std::array<float, Line::kFrom * Line::kFrom * kLanes> block;
    std::array<float, kPoints * kRun> run;
    for (int64_t channel = begin; channel < end; ++channel) {
      for (int64_t first = 0; first < strip; first += kRun) {
        const int64_t length = std::min(kRun, strip - first);
        for (int64_t tile = 0; tile < length; tile += kLanes) {
          GatherBlock<Line::kFrom>(x, channel, padding, places, first + tile,
                                   block.data());
          RunBothAxes<Line>(block.data(), kLanes, run.data() + tile, kRun);
        }
        for (int64_t point = 0; point < kPoints; ++point) {
          std::copy_n(run.data() + point * kRun, length,
                      to + (point * x.channels + channel) * strip + first);
        }
      }
    }
  });
}

// Sums of products at the points, [kPoints,K,strip], to the outputs at
// `places` of y [R,K,H,W].
void GatherOutputs(const at::Tensor& sums, const std::vector<Place>& places,
                   const Planes& y) {
  const int64_t strip = sums.size(2);
  const auto count = static_cast<int64_t>(places.size());
  const float* from = sums.data_ptr<float>();
  at::parallel_for(0, y.channels, 1, [&](int64_t begin, int64_t end) {
    std::array<float, kTile * kTile * kLanes> block;
    for (int64_t channel = begin; channel < end; ++channel) {
      for (int64_t tile = 0; tile < count; ++tile) {
        const int64_t lane = tile % kLanes;
        if (lane == 0) {
          RunBothAxes<ToOutput>(from + channel * strip + tile,
                                y.channels * strip, block.data(), kLanes);
        }
        const auto& [row, top, left] = places[tile];
        float* outputs = y.At(row, channel) + top * y.width + left;
        const int64_t down = std::min<int64_t>(kTile, y.height - top);
        const int64_t across = std::min<int64_t>(kTile, y.width - left);
        for (int64_t i = 0; i < down; ++i) {
          for (int64_t j = 0; j < across; ++j) {
            outputs[i * y.width + j] = block[(i * kTile + j) * kLanes + lane];
          }
        }
      }
    }
  });
}

// Runs `visit(first pair, how many)` over blocks of pairs of channels.
template <typename Visit>
void ForPairs(int64_t pairs, const Visit& visit) {
  at::parallel_for(0, DivideUp(pairs, kLanes), 16,
                   [&](int64_t begin, int64_t end) {
                     for (int64_t block = begin; block < end; ++block) {
                       const int64_t first = block * kLanes;
                       visit(first, std::min(kLanes, pairs - first));
                     }
                   });
}

// [K,C,3,3] with its taps turned round, contiguous, to [kPoints,K,C].
at::Tensor SpreadTurnedWeight(const at::Tensor& weight) {
  const int64_t pairs = weight.size(0) * weight.size(1);
  at::Tensor spread =
      at::empty({kPoints, weight.size(0), weight.size(1)}, weight.options());
  const float* from = weight.data_ptr<float>();
  float* to = spread.data_ptr<float>();
  ForPairs(pairs, [&](int64_t first, int64_t count) {
    std::array<float, kTapsOfWeight* kLanes> block = {};
    std::array<float, kPoints * kLanes> points;
    for (int64_t i = 0; i < count; ++i) {
      const float* taps = from + (first + i) * kTapsOfWeight;
      for (int64_t tap = 0; tap < kTapsOfWeight; ++tap) {
        block[tap * kLanes + i] = taps[kTapsOfWeight - 1 - tap];
      }
    }
    RunBothAxes<FromWeight>(block.data(), kLanes, points.data(), kLanes);
    for (int64_t point = 0; point < kPoints; ++point) {
      std::copy_n(points.data() + point * kLanes, count,
                  to + point * pairs + first);
    }
  });
  return spread;
}

// Sums of products at the points, [kPoints,K,C], to [K,C,3,3].
at::Tensor GatherWeight(const at::Tensor& sums) {
  const int64_t pairs = sums.size(1) * sums.size(2);
  at::Tensor weight =
      at::empty({sums.size(1), sums.size(2), kTaps, kTaps}, sums.options());
  const float* from = sums.data_ptr<float>();
  float* to = weight.data_ptr<float>();
  ForPairs(pairs, [&](int64_t first, int64_t count) {
    std::array<float, kPoints* kLanes> points = {};
    std::array<float, kTapsOfWeight * kLanes> block;
    for (int64_t point = 0; point < kPoints; ++point) {
      std::copy_n(from + point * pairs + first, count,
                  points.data() + point * kLanes);
    }
    RunBothAxes<ToWeight>(points.data(), kLanes, block.data(), kLanes);
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t tap = 0; tap < kTapsOfWeight; ++tap) {
        to[(first + i) * kTapsOfWeight + tap] = block[tap * kLanes + i];
      }
    }
  });
  return weight;
}

int64_t BytesOf(const at::Tensor& x) {
  return x.numel() * static_cast<int64_t>(sizeof(float));
}

// Measured with LibTorch 1.13, AVX2, two cores, in multiplications of the
// direct kernel: what a value of a transformed tile takes, and one of a
// transformed weight; a direct weight gradient takes more than a convolution.
constexpr double kTileValue = 100, kWeightValue = 80,
                 kDirectWeightGradient = 1.3;

struct Costs {
  double direct, winograd;
};

Costs CostsOf(const at::Tensor& x, int64_t channels_out,
              const ConvGeometry& geometry) {
  const int64_t height = OutputSide(x.size(2), geometry.padding_before[0]);
  const int64_t width = OutputSide(x.size(3), geometry.padding_before[1]);
  if (height < 1 || width < 1) return {0, 0};
  const Tiles tiles(x.size(0), height, width);
  const auto positions = static_cast<double>(x.size(0) * height * width);
  const auto lanes =
      static_cast<double>(DivideUp(tiles.count, kLanes) * kLanes);
  const auto pairs = static_cast<double>(x.size(1) * channels_out);
  const auto channels = static_cast<double>(x.size(1) + channels_out);
  return {kTapsOfWeight * pairs * positions,
          kPoints * (pairs * lanes + kTileValue * channels * lanes +
                     kWeightValue * pairs)};
}

}  // namespace

bool HasWinogradForm(const ConvGeometry& geometry) {
  constexpr std::array<int64_t, 2> kOnes = {1, 1}, kThrees = {3, 3};
  // The gradient's own padding is what is left of it.
  const auto leaves_padding = [](int64_t padding) { return padding < kTaps; };
  return geometry.kernel == kThrees && geometry.stride == kOnes &&
         geometry.dilation == kOnes && geometry.groups == 1 &&
         geometry.padding_before == geometry.padding_after &&
         leaves_padding(geometry.padding_before[0]) &&
         leaves_padding(geometry.padding_before[1]);
}

bool IsInputGradientQuickerByWinograd(const at::Tensor& x, int64_t channels_out,
                                      const ConvGeometry& geometry) {
  const Costs costs = CostsOf(x, channels_out, geometry);
  return costs.winograd < costs.direct;
}

bool IsWeightGradientQuickerByWinograd(const at::Tensor& x,
                                       int64_t channels_out,
                                       const ConvGeometry& geometry) {
  const Costs costs = CostsOf(x, channels_out, geometry);
  return costs.winograd < kDirectWeightGradient * costs.direct;
}

// The convolution of g with the taps turned round, so padded that each input
// is reached by the outputs that it went into.
at::Tensor WinogradInputGradient(const at::Tensor& g, const at::Tensor& weight,
                                 const ConvGeometry& geometry) {
  TORCH_CHECK(g.numel() > 0 && weight.numel() > 0, "a side is empty");
  const int64_t rows = g.size(0), channels_in = weight.size(1);
  const std::array<int64_t, 2> padding = {
      kTaps - 1 - geometry.padding_before[0],
      kTaps - 1 - geometry.padding_before[1]};
  at::Tensor gradient =
      at::empty({rows, channels_in, OutputSide(g.size(2), padding[0]),
                 OutputSide(g.size(3), padding[1])},
                g.options());
  const Tiles tiles(rows, gradient.size(2), gradient.size(3));
  const at::Tensor kernel = SpreadTurnedWeight(weight.contiguous());
  const at::Tensor image = g.contiguous();
  const int64_t strip =
      StripOf(tiles, g.size(1) + channels_in, BytesOf(kernel));
  const at::Tensor spread = at::empty({kPoints, g.size(1), strip}, g.options());
  at::Tensor sums = at::empty({kPoints, channels_in, strip}, g.options());
  for (int64_t first = 0; first < tiles.count; first += strip) {
    const std::vector<Place> places = PlacesOf(tiles, first, strip);
    SpreadTiles<FromInput>(Planes(image), padding, places, spread);
    at::bmm_out(sums, kernel.transpose(1, 2), spread);
    GatherOutputs(sums, places, Planes(gradient));
  }
  return gradient;
}

at::Tensor WinogradWeightGradient(const at::Tensor& x, const at::Tensor& g,
                                  const ConvGeometry& geometry) {
  TORCH_CHECK(x.numel() > 0 && g.numel() > 0, "a side is empty");
  const int64_t channels_in = x.size(1), channels_out = g.size(1);
  const Tiles tiles(x.size(0), g.size(2), g.size(3));
  at::Tensor sums =
      at::empty({kPoints, channels_out, channels_in}, x.options());
  // They are read and written.
  const int64_t strip =
      StripOf(tiles, channels_in + channels_out, 2 * BytesOf(sums));
  const at::Tensor inputs =
      at::empty({kPoints, channels_in, strip}, x.options());
  const at::Tensor gradients =
      at::empty({kPoints, channels_out, strip}, x.options());
  const at::Tensor image = x.contiguous(), outputs = g.contiguous();
  for (int64_t first = 0; first < tiles.count; first += strip) {
    const std::vector<Place> places = PlacesOf(tiles, first, strip);
    SpreadTiles<FromInput>(Planes(image), geometry.padding_before, places,
                           inputs);
    SpreadTiles<FromGradient>(Planes(outputs), {0, 0}, places, gradients);
    if (first == 0) {
      at::bmm_out(sums, gradients, inputs.transpose(1, 2));
    } else {
      sums.baddbmm_(gradients, inputs.transpose(1, 2));
    }
  }
  return GatherWeight(sums);
}

}  // namespace saliency
