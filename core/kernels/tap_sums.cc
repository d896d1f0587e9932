#include "core/kernels/tap_sums.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <vector>

namespace saliency {
namespace {

// Where a kernel tap at offset `shift` meets the input: outputs [first, first +
// length) read inputs from first + shift on.
struct Overlap {
  int64_t shift, first, length;

  bool Holds(int64_t position) const {
    return position >= first && position < first + length;
  }
};

// Of each tap along one axis.
std::vector<Overlap> OverlapsOf(const ConvGeometry& geometry, int axis,
                                int64_t in, int64_t out) {
  std::vector<Overlap> overlaps;
  for (int64_t tap = 0; tap < geometry.kernel[axis]; ++tap) {
    const int64_t shift =
        tap * geometry.dilation[axis] - geometry.padding_before[axis];
    const int64_t first = std::max<int64_t>(0, -shift);
    const int64_t length = std::min(out, in - shift) - first;
    if (length > 0) overlaps.push_back({shift, first, length});
  }
  return overlaps;
}

bool IsSinglePosition(const ConvGeometry& geometry, int axis) {
  return geometry.kernel[axis] == 1 && geometry.padding_before[axis] == 0;
}

// `narrow` of the two axes that belong together: rows (0, 2) or columns (1, 3)
// of a matrix between positions.
at::Tensor Both(const at::Tensor& products, int axis, int64_t first,
                int64_t length) {
  return products.narrow(axis, first, length).narrow(axis + 2, first, length);
}

enum class Way { kSum, kSpread };

// Along one axis: sums from input to output positions, or the transpose.
at::Tensor AlongAxis(const at::Tensor& from, int axis, int64_t in, int64_t out,
                     const ConvGeometry& geometry, Way way) {
  if (IsSinglePosition(geometry, axis)) return from;
  const bool sums = way == Way::kSum;
  std::vector<int64_t> sizes = from.sizes().vec();
  sizes[axis] = sizes[axis + 2] = sums ? out : in;
  at::Tensor to = at::zeros(sizes, from.options());
  for (const Overlap& tap : OverlapsOf(geometry, axis, in, out)) {
    const int64_t in_first = tap.first + tap.shift;
    Both(to, axis, sums ? tap.first : in_first, tap.length)
        .add_(Both(from, axis, sums ? in_first : tap.first, tap.length));
  }
  return to;
}

void Add(const float* __restrict from, float* __restrict to, int64_t count) {
  for (int64_t i = 0; i < count; ++i) to[i] += from[i];
}

// Adds one tap's products of one v with all u, [Hin,Win], to [H,W].
void AddTap(const float* products, int64_t width_in, const Overlap& rows,
            const Overlap& columns, float* sum, int64_t width_out) {
  products += (rows.first + rows.shift) * width_in;
  sum += rows.first * width_out;
  if (columns.length == width_in && columns.length == width_out) {
    return Add(products, sum, rows.length * columns.length);
  }
  for (int64_t row = 0; row < rows.length; ++row) {
    Add(products + columns.first + columns.shift, sum + columns.first,
        columns.length);
    products += width_in;
    sum += width_out;
  }
}

// All taps of both axes at once, a v at a time: its sums stay in the nearest
// cache, and neighbouring v read the same products.
at::Tensor SumOnCpu(const at::Tensor& products,
                    const std::array<int64_t, 2>& out,
                    const ConvGeometry& geometry) {
  const int64_t height = products.size(0), width = products.size(1);
  const auto rows = OverlapsOf(geometry, 0, height, out[0]);
  const auto columns = OverlapsOf(geometry, 1, width, out[1]);
  at::Tensor sums =
      at::empty({out[0], out[1], out[0], out[1]}, products.options());
  const float* from = products.data_ptr<float>();
  float* to = sums.data_ptr<float>();
  const int64_t positions = out[0] * out[1];
  at::parallel_for(0, positions, 1, [&](int64_t begin, int64_t end) {
    for (int64_t v = begin; v < end; ++v) {
      float* sum = to + v * positions;
      std::fill_n(sum, positions, 0.0F);
      for (const Overlap& row : rows) {
        if (!row.Holds(v / out[1])) continue;
        for (const Overlap& column : columns) {
          if (!column.Holds(v % out[1])) continue;
          const int64_t shifted =
              (v / out[1] + row.shift) * width + v % out[1] + column.shift;
          AddTap(from + shifted * height * width, width, row, column, sum,
                 out[1]);
        }
      }
    }
  });
  return sums;
}

}  // namespace

at::Tensor SumTaps(const at::Tensor& products,
                   const std::array<int64_t, 2>& out,
                   const ConvGeometry& geometry) {
  if (IsSinglePosition(geometry, 0) && IsSinglePosition(geometry, 1)) {
    return products;
  }
  if (products.device().is_cpu() && products.scalar_type() == at::kFloat &&
      products.is_contiguous()) {
    return SumOnCpu(products, out, geometry);
  }
  const at::Tensor rows =
      AlongAxis(products, 0, products.size(0), out[0], geometry, Way::kSum);
  return AlongAxis(rows, 1, rows.size(1), out[1], geometry, Way::kSum);
}

at::Tensor SpreadTaps(const at::Tensor& gradient,
                      const std::array<int64_t, 2>& in,
                      const ConvGeometry& geometry) {
  const at::Tensor columns =
      AlongAxis(gradient, 1, in[1], gradient.size(1), geometry, Way::kSpread);
  return AlongAxis(columns, 0, in[0], columns.size(0), geometry, Way::kSpread);
}

}  // namespace saliency
