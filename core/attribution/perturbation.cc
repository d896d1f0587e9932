#include "core/attribution/perturbation.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>

#include "core/attribution/random_key.h"

namespace saliency {
namespace {

// Of RandomKey: SmoothGrad's noise is stream 0.
constexpr uint64_t kMaskStream = 1;

// How many windows of `patch`, `stride` apart, reach over `length`.
int64_t WindowsAlong(int64_t length, int64_t patch, int64_t stride) {
  return 1 + (std::max<int64_t>(length - patch, 0) + stride - 1) / stride;
}

at::Tensor ScoreOnRegion(const MethodContext& context) {
  return context.score.view({-1, 1, 1}) * context.region;
}

}  // namespace

const Method kScoreOnRegion = {.name = "",
                               .summary = "",
                               .formula = "",
                               .source = "",
                               .method_inputs = MethodInputs::kScore,
                               .is_signed = true,
                               .attribute = &ScoreOnRegion};

OcclusionWindows::OcclusionWindows(const Occlusion& method, int64_t height,
                                   int64_t width)
    : height_(height), width_(width) {
  patch_ = OcclusionPatch(method, height, width);
  stride_ = OcclusionStride(method, height, width);
  rows_ = WindowsAlong(height, patch_, stride_);
  columns_ = WindowsAlong(width, patch_, stride_);
}

at::Tensor OcclusionWindows::Window(int64_t index) const {
  const int64_t top = index / columns_ * stride_;
  const int64_t left = index % columns_ * stride_;
  at::Tensor window = at::zeros({height_, width_}, at::kFloat);
  window.slice(0, top, std::min(top + patch_, height_))
      .slice(1, left, std::min(left + patch_, width_))
      .fill_(1);
  return window;
}

at::Tensor OcclusionWindows::Coverage() const {
  const auto along = [&](int64_t length, int64_t windows) {
    at::Tensor covered = at::zeros({length}, at::kDouble);
    for (int64_t w = 0; w < windows; ++w) {
      covered.slice(0, w * stride_, std::min(w * stride_ + patch_, length))
          .add_(1);
    }
    return covered;
  };
  return at::outer(along(height_, rows_), along(width_, columns_));
}

at::Tensor RiseMask(const Rise& method, int64_t index, int64_t height,
                    int64_t width) {
  auto generator = at::detail::createCPUGenerator(
      RandomKey(method.seed, kMaskStream, static_cast<uint64_t>(index)));
  const int64_t cells = method.cells;
  const at::Tensor kept =
      at::rand({cells, cells}, generator).lt(method.keep_probability);
  const int64_t cell_height = (height + cells - 1) / cells;
  const int64_t cell_width = (width + cells - 1) / cells;
  const at::Tensor drawn = at::upsample_bilinear2d(
      kept.to(at::kFloat).view({1, 1, cells, cells}),
      {(cells + 1) * cell_height, (cells + 1) * cell_width},
      /*align_corners=*/false);
  const auto shift = [&](int64_t below) {
    return at::randint(below, {}, generator).item<int64_t>();
  };
  const int64_t top = shift(cell_height);
  const int64_t left = shift(cell_width);
  return drawn[0][0]
      .slice(0, top, top + height)
      .slice(1, left, left + width)
      .clamp(0, 1);
}

}  // namespace saliency
