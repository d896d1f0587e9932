#include "core/attribution/channel_reductions_cpu.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace saliency {
namespace {

// Positions that are reduced together; their sums stay in the first cache.
constexpr int64_t kBlock = 1024;
// Sums are taken over runs of channels first: the error of a float32 sum of
// 2048 terms is then that of about 100.
constexpr int64_t kChannelRun = 64;
// Sums of squares outside this range may have lost squares to underflow or
// gone to infinity: the block is then done again, scaled.
constexpr float kSmallestSquares = 1e-24F;
constexpr float kLargestSquares = 1e36F;

constexpr bool IsNorm(Reduction r) {
  return r == Reduction::kNorm || r == Reduction::kPositiveNorm ||
         r == Reduction::kNegativeNorm;
}

// The reduction that finds the largest magnitude that `r` squares.
constexpr Reduction LargestOf(Reduction r) {
  return r == Reduction::kPositiveNorm   ? Reduction::kMax
         : r == Reduction::kNegativeNorm ? Reduction::kMin
                                         : Reduction::kMaxAbs;
}

constexpr float StartOf(Reduction r) {
  return r == Reduction::kMax   ? -std::numeric_limits<float>::infinity()
         : r == Reduction::kMin ? std::numeric_limits<float>::infinity()
                                : 0;
}

// Comparisons are written so that a NaN on either side stays.
inline float Larger(float a, float b) { return ((b > a) | (b != b)) ? b : a; }
inline float Smaller(float a, float b) { return ((b < a) | (b != b)) ? b : a; }

template <Reduction r>
inline float Add(float sum, float value) {
  if constexpr (r == Reduction::kPositiveNorm) value = value < 0 ? 0 : value;
  if constexpr (r == Reduction::kNegativeNorm) value = value > 0 ? 0 : value;
  if constexpr (IsNorm(r)) return sum + value * value;
  if constexpr (r == Reduction::kMax) return Larger(sum, value);
  if constexpr (r == Reduction::kMin) return Smaller(sum, value);
  if constexpr (r == Reduction::kMaxAbs) return Larger(sum, std::abs(value));
  return sum + value;
}

// Joins two partial results.
template <Reduction r>
inline float Merge(float a, float b) {
  if constexpr (IsNorm(r)) return a + b;
  return Add<r>(a, b);
}

// Some positions of one row: where its values begin, and how to step.
struct Block {
  const float* a;
  const float* b;  // unused where there is no product
  int64_t channels;
  int64_t plane;  // H W
  int64_t count;  // positions, at most kBlock
  float scale;    // of the values, a power of two
};

template <bool is_product>
inline float ValueAt(const Block& in, int64_t i) {
  if constexpr (is_product) return in.a[i] * in.b[i] * in.scale;
  return in.a[i] * in.scale;
}

// Channels are planes: position i of channel k at k * plane + i.
template <Reduction r, bool is_product>
void ReducePlanes(const Block& in, float* result) {
  std::fill_n(result, in.count, StartOf(r));
  std::array<float, kBlock> run;
  for (int64_t begin = 0; begin < in.channels; begin += kChannelRun) {
    const int64_t end = std::min(begin + kChannelRun, in.channels);
    std::fill_n(run.begin(), in.count, StartOf(r));
    for (int64_t k = begin; k < end; ++k) {
      for (int64_t i = 0; i < in.count; ++i) {
        run[i] = Add<r>(run[i], ValueAt<is_product>(in, k * in.plane + i));
      }
    }
    for (int64_t i = 0; i < in.count; ++i) {
      result[i] = Merge<r>(result[i], run[i]);
    }
  }
}

// Channels are innermost: position i of channel k at i * channels + k.
template <Reduction r, bool is_product>
void ReducePixels(const Block& in, float* result) {
  // More than GCC unrolls before it vectorises: 16 are peeled into scalars, and
  // a maximum then takes ten times as long.
  constexpr int64_t kLanes = 32;
  for (int64_t i = 0; i < in.count; ++i) {
    const int64_t start = i * in.channels;
    std::array<float, kLanes> lanes;
    lanes.fill(StartOf(r));
    int64_t k = 0;
    for (; k + kLanes <= in.channels; k += kLanes) {
      for (int64_t lane = 0; lane < kLanes; ++lane) {
        lanes[lane] =
            Add<r>(lanes[lane], ValueAt<is_product>(in, start + k + lane));
      }
    }
    for (; k < in.channels; ++k) {
      lanes[0] = Add<r>(lanes[0], ValueAt<is_product>(in, start + k));
    }
    float total = lanes[0];
    for (int64_t lane = 1; lane < kLanes; ++lane) {
      total = Merge<r>(total, lanes[lane]);
    }
    result[i] = total;
  }
}

template <Reduction r, bool is_product, bool channels_last>
void Reduce(const Block& in, float* result) {
  if constexpr (channels_last) {
    ReducePixels<r, is_product>(in, result);
  } else {
    ReducePlanes<r, is_product>(in, result);
  }
}

float LargestMagnitude(const float* values, int64_t count) {
  float largest = 0;
  for (int64_t i = 0; i < count; ++i) {
    largest = Larger(largest, std::abs(values[i]));
  }
  return largest;
}

// A norm.  Almost every block is done at the first try; where the squares
// leave float32, a power of two brings the largest value near 1, which changes
// no digit.
template <Reduction r, bool is_product, bool channels_last>
void ReduceNorm(Block in, float* result) {
  Reduce<r, is_product, channels_last>(in, result);
  const float squares = LargestMagnitude(result, in.count);
  if (!(squares >= kSmallestSquares && squares <= kLargestSquares)) {
    std::array<float, kBlock> extremes;
    Reduce<LargestOf(r), is_product, channels_last>(in, extremes.data());
    const float largest = LargestMagnitude(extremes.data(), in.count);
    if (largest > 0 && std::isfinite(largest)) {
      int exponent = 0;
      std::frexp(largest, &exponent);
      exponent = std::clamp(exponent, -126, 126);
      in.scale = std::ldexp(1.0F, -exponent);
      Reduce<r, is_product, channels_last>(in, result);
    }
  }
  for (int64_t i = 0; i < in.count; ++i) {
    result[i] = std::sqrt(result[i]) / in.scale;
  }
}

using BlockFunction = void (*)(const Block& in, float* result);

template <Reduction r, bool is_product, bool channels_last>
void RunBlock(const Block& in, float* result) {
  if constexpr (IsNorm(r)) {
    ReduceNorm<r, is_product, channels_last>(in, result);
  } else {
    Reduce<r, is_product, channels_last>(in, result);
  }
}

template <Reduction r>
BlockFunction FunctionFor(bool is_product, bool channels_last) {
  if (is_product) {
    return channels_last ? RunBlock<r, true, true> : RunBlock<r, true, false>;
  }
  return channels_last ? RunBlock<r, false, true> : RunBlock<r, false, false>;
}

BlockFunction FunctionFor(Reduction reduction, bool is_product,
                          bool channels_last) {
  switch (reduction) {
    case Reduction::kSum:
      return FunctionFor<Reduction::kSum>(is_product, channels_last);
    case Reduction::kNorm:
      return FunctionFor<Reduction::kNorm>(is_product, channels_last);
    case Reduction::kPositiveNorm:
      return FunctionFor<Reduction::kPositiveNorm>(is_product, channels_last);
    case Reduction::kNegativeNorm:
      return FunctionFor<Reduction::kNegativeNorm>(is_product, channels_last);
    case Reduction::kMax:
      return FunctionFor<Reduction::kMax>(is_product, channels_last);
    case Reduction::kMin:
      return FunctionFor<Reduction::kMin>(is_product, channels_last);
    case Reduction::kMaxAbs:
      return FunctionFor<Reduction::kMaxAbs>(is_product, channels_last);
  }
  return nullptr;
}

}  // namespace

at::Tensor ReduceOnCpu(Reduction reduction, const at::Tensor& a,
                       const at::Tensor* b) {
  // Where a tensor is both, planes: its channels or its positions are one.
  const bool channels_last =
      !a.is_contiguous() && a.is_contiguous(at::MemoryFormat::ChannelsLast);
  const at::MemoryFormat format = channels_last ? at::MemoryFormat::ChannelsLast
                                                : at::MemoryFormat::Contiguous;
  const at::Tensor first = a.contiguous(format);
  const at::Tensor second = b ? b->contiguous(format) : first;
  const int64_t rows = a.size(0);
  const int64_t channels = a.size(1);
  const int64_t plane = a.size(2) * a.size(3);
  const int64_t blocks_per_row = (plane + kBlock - 1) / kBlock;
  const BlockFunction run = FunctionFor(reduction, b != nullptr, channels_last);
  at::Tensor result = at::empty({rows, a.size(2), a.size(3)}, a.options());
  const float* const first_values = first.data_ptr<float>();
  const float* const second_values = second.data_ptr<float>();
  float* const out = result.data_ptr<float>();
  at::parallel_for(0, rows * blocks_per_row, /*grain_size=*/1,
                   [&](int64_t task_begin, int64_t task_end) {
                     for (int64_t task = task_begin; task < task_end; ++task) {
                       const int64_t row = task / blocks_per_row;
                       const int64_t begin = task % blocks_per_row * kBlock;
                       const int64_t offset =
                           row * channels * plane +
                           begin * (channels_last ? channels : 1);
                       run({.a = first_values + offset,
                            .b = second_values + offset,
                            .channels = channels,
                            .plane = plane,
                            .count = std::min(kBlock, plane - begin),
                            .scale = 1},
                           out + row * plane + begin);
                     }
                   });
  return result;
}

}  // namespace saliency
