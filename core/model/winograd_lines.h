// The transforms of winograd.h along one axis, and how two of them make one of
// a tile.  Polynomials are multiplied by their values at 0, 1, -1, 2, -2 and
// infinity; the divisors of the interpolation stand in the transforms of
// weights, which there are least of.
//
// Each reads kFrom vectors of kLanes floats, `in_step` apart, and writes kTo,
// `out_step` apart.  Internal to the model room.  Pure functions.

#ifndef SALIENCY_CORE_MODEL_WINOGRAD_LINES_H_
#define SALIENCY_CORE_MODEL_WINOGRAD_LINES_H_

#include <array>
#include <cstdint>

namespace saliency::winograd {

inline constexpr int64_t kTaps = 3;
inline constexpr int64_t kTile = 4;                   // outputs
inline constexpr int64_t kPatch = kTile + kTaps - 1;  // inputs
inline constexpr int64_t kPoints = kPatch * kPatch;
inline constexpr int64_t kLanes = 16;

// Interpolation: 1 / prod (a_j - a_k) over the other finite points a_k.
inline constexpr float kAtZero = 1.0F / 4;
inline constexpr float kAtOne = -1.0F / 6;
inline constexpr float kAtTwo = 1.0F / 24;

// Inputs: the coefficients of prod_k (t - a_k) / (t - a_j).
struct FromInput {
  static constexpr int64_t kFrom = kPatch, kTo = kPatch;
  static void Run(const float* __restrict in, int64_t in_step,
                  float* __restrict out, int64_t out_step) {
    for (int64_t i = 0; i < kLanes; ++i) {
      const float x0 = in[i], x1 = in[in_step + i], x2 = in[2 * in_step + i],
                  x3 = in[3 * in_step + i], x4 = in[4 * in_step + i],
                  x5 = in[5 * in_step + i];
      const float even_one = x4 - 4 * x2, odd_one = x3 - 4 * x1;
      const float even_two = x4 - x2, odd_two = 2 * (x3 - x1);
      out[i] = 4 * x0 - 5 * x2 + x4;
      out[out_step + i] = even_one + odd_one;
      out[2 * out_step + i] = even_one - odd_one;
      out[3 * out_step + i] = even_two + odd_two;
      out[4 * out_step + i] = even_two - odd_two;
      out[5 * out_step + i] = 4 * x1 - 5 * x3 + x5;
    }
  }
};

// A tile of output gradients: its polynomial's values.
struct FromGradient {
  static constexpr int64_t kFrom = kTile, kTo = kPatch;
  static void Run(const float* __restrict in, int64_t in_step,
                  float* __restrict out, int64_t out_step) {
    for (int64_t i = 0; i < kLanes; ++i) {
      const float g0 = in[i], g1 = in[in_step + i], g2 = in[2 * in_step + i],
                  g3 = in[3 * in_step + i];
      const float even_one = g0 + g2, odd_one = g1 + g3;
      const float even_two = g0 + 4 * g2, odd_two = 2 * g1 + 8 * g3;
      out[i] = g0;
      out[out_step + i] = even_one + odd_one;
      out[2 * out_step + i] = even_one - odd_one;
      out[3 * out_step + i] = even_two + odd_two;
      out[4 * out_step + i] = even_two - odd_two;
      out[5 * out_step + i] = g3;
    }
  }
};

// Taps of a weight: its polynomial's values, divided.
struct FromWeight {
  static constexpr int64_t kFrom = kTaps, kTo = kPatch;
  static void Run(const float* __restrict in, int64_t in_step,
                  float* __restrict out, int64_t out_step) {
    for (int64_t i = 0; i < kLanes; ++i) {
      const float w0 = in[i], w1 = in[in_step + i], w2 = in[2 * in_step + i];
      const float even_one = kAtOne * (w0 + w2), odd_one = kAtOne * w1;
      const float even_two = kAtTwo * (w0 + 4 * w2), odd_two = kAtTwo * 2 * w1;
      out[i] = kAtZero * w0;
      out[out_step + i] = even_one + odd_one;
      out[2 * out_step + i] = even_one - odd_one;
      out[3 * out_step + i] = even_two + odd_two;
      out[4 * out_step + i] = even_two - odd_two;
      out[5 * out_step + i] = w2;
    }
  }
};

// The powers of the points: kTile outputs.
struct ToOutput {
  static constexpr int64_t kFrom = kPatch, kTo = kTile;
  static void Run(const float* __restrict in, int64_t in_step,
                  float* __restrict out, int64_t out_step) {
    for (int64_t i = 0; i < kLanes; ++i) {
      const float p1 = in[in_step + i], m1 = in[2 * in_step + i],
                  p2 = in[3 * in_step + i], m2 = in[4 * in_step + i];
      const float even_one = p1 + m1, odd_one = p1 - m1;
      const float even_two = p2 + m2, odd_two = p2 - m2;
      out[i] = in[i] + even_one + even_two;
      out[out_step + i] = odd_one + 2 * odd_two;
      out[2 * out_step + i] = even_one + 4 * even_two;
      out[3 * out_step + i] = odd_one + 8 * odd_two + in[5 * in_step + i];
    }
  }
};

// The same, divided: kTaps gradients of a weight.
struct ToWeight {
  static constexpr int64_t kFrom = kPatch, kTo = kTaps;
  static void Run(const float* __restrict in, int64_t in_step,
                  float* __restrict out, int64_t out_step) {
    for (int64_t i = 0; i < kLanes; ++i) {
      const float p1 = in[in_step + i], m1 = in[2 * in_step + i],
                  p2 = in[3 * in_step + i], m2 = in[4 * in_step + i];
      const float even_one = kAtOne * (p1 + m1), odd_one = kAtOne * (p1 - m1);
      const float even_two = kAtTwo * (p2 + m2), odd_two = kAtTwo * (p2 - m2);
      out[i] = kAtZero * in[i] + even_one + even_two;
      out[out_step + i] = odd_one + 2 * odd_two;
      out[2 * out_step + i] = even_one + 4 * even_two + in[5 * in_step + i];
    }
  }
};

// Along both axes: kFrom^2 vectors to kTo^2, row by row.
template <typename Line>
void RunBothAxes(const float* in, int64_t in_step, float* out,
                 int64_t out_step) {
  constexpr int64_t kRow = Line::kFrom * kLanes;
  std::array<float, Line::kTo * kRow> middle;
  for (int64_t column = 0; column < Line::kFrom; ++column) {
    Line::Run(in + column * in_step, Line::kFrom * in_step,
              middle.data() + column * kLanes, kRow);
  }
  for (int64_t row = 0; row < Line::kTo; ++row) {
    Line::Run(middle.data() + row * kRow, kLanes,
              out + row * Line::kTo * out_step, out_step);
  }
}

}  // namespace saliency::winograd

#endif  // SALIENCY_CORE_MODEL_WINOGRAD_LINES_H_
