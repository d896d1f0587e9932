#include "core/model/tap_sums.h"

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

// Along one axis, from input to output positions.
at::Tensor SumAxis(const at::Tensor& products, int axis, int64_t out,
                   const ConvGeometry& geometry) {
  if (IsSinglePosition(geometry, axis)) return products;
  std::vector<int64_t> sizes = products.sizes().vec();
  const int64_t in = sizes[axis];
  sizes[axis] = sizes[axis + 2] = out;
  at::Tensor sum = at::zeros(sizes, products.options());
  for (const Overlap& tap : OverlapsOf(geometry, axis, in, out)) {
    Both(sum, axis, tap.first, tap.length)
        .add_(Both(products, axis, tap.first + tap.shift, tap.length));
  }
  return sum;
}

at::Tensor SpreadAxis(const at::Tensor& gradient, int axis, int64_t in,
                      const ConvGeometry& geometry) {
  if (IsSinglePosition(geometry, axis)) return gradient;
  std::vector<int64_t> sizes = gradient.sizes().vec();
  const int64_t out = sizes[axis];
  sizes[axis] = sizes[axis + 2] = in;
  at::Tensor spread = at::zeros(sizes, gradient.options());
  for (const Overlap& tap : OverlapsOf(geometry, axis, in, out)) {
    Both(spread, axis, tap.first + tap.shift, tap.length)
        .add_(Both(gradient, axis, tap.first, tap.length));
  }
  return spread;
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
  return SumAxis(SumAxis(products, 0, out[0], geometry), 1, out[1], geometry);
}

at::Tensor SpreadTaps(const at::Tensor& gradient,
                      const std::array<int64_t, 2>& in,
                      const ConvGeometry& geometry) {
  return SpreadAxis(SpreadAxis(gradient, 1, in[1], geometry), 0, in[0],
                    geometry);
}

}  // namespace saliency
