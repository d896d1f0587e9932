#include "core/attribution/windows.h"

#include <ATen/ATen.h>

#include <cassert>
#include <limits>

namespace saliency {
namespace {

// Both windows that are summed or maximised here are products of a vertical and
// a horizontal one, so that kh + kw slices do the work of kh * kw.
template <typename Fold>
at::Tensor SlideAlong(int64_t dim, const at::Tensor& padded,
                      const ConvGeometry& geometry, int64_t output_size,
                      const Fold& fold) {
  const size_t axis = dim - 2;
  const int64_t stride = geometry.stride[axis];
  const int64_t extent = (output_size - 1) * stride + 1;
  at::Tensor result;
  for (int64_t tap = 0; tap < geometry.kernel[axis]; ++tap) {
    const int64_t start = tap * geometry.dilation[axis];
    assert(start + extent <= padded.size(dim));
    const at::Tensor slice = padded.slice(dim, start, start + extent, stride);
    result = tap == 0 ? slice : fold(result, slice);
  }
  return result;
}

template <typename Fold>
at::Tensor Slide(const at::Tensor& values, const ConvGeometry& geometry,
                 std::array<int64_t, 2> output_size, const Fold& fold) {
  const at::Tensor padded = at::constant_pad_nd(
      values, {geometry.padding_before[1], geometry.padding_after[1],
               geometry.padding_before[0], geometry.padding_after[0]});
  return SlideAlong(3, SlideAlong(2, padded, geometry, output_size[0], fold),
                    geometry, output_size[1], fold);
}

ConvGeometry Geometry3x3() {
  return {.kernel = {3, 3}, .padding_before = {1, 1}, .padding_after = {1, 1}};
}

template <typename Fold>
at::Tensor Slide3x3(const at::Tensor& values, const Fold& fold) {
  return Slide(values, Geometry3x3(), {values.size(2), values.size(3)}, fold);
}

at::Tensor Add(const at::Tensor& a, const at::Tensor& b) { return a + b; }
at::Tensor Max(const at::Tensor& a, const at::Tensor& b) {
  return at::maximum(a, b);
}
at::Tensor Min(const at::Tensor& a, const at::Tensor& b) {
  return at::minimum(a, b);
}

}  // namespace

at::Tensor BoxSum(const at::Tensor& values) { return Slide3x3(values, Add); }

at::Tensor PatchMax(const at::Tensor& values) { return Slide3x3(values, Max); }

at::Tensor PatchMin(const at::Tensor& values) { return Slide3x3(values, Min); }

at::Tensor BoxNorm(const at::Tensor& values) {
  return WindowNorm(values, Geometry3x3(), {values.size(2), values.size(3)});
}

at::Tensor WindowNorm(const at::Tensor& values, const ConvGeometry& geometry,
                      std::array<int64_t, 2> output_size) {
  // Scaled plane by plane: squares of what is ordinary would leave float32.
  const at::Tensor largest = values.abs()
                                 .amax({2, 3}, /*keepdim=*/true)
                                 .clamp_min(std::numeric_limits<float>::min());
  return Slide((values / largest).square_(), geometry, output_size, Add)
      .sqrt()
      .mul_(largest);
}

}  // namespace saliency
