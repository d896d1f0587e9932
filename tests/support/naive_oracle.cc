#include "tests/support/naive_oracle.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace saliency::oracle {
namespace {

at::Tensor InDouble(const at::Tensor& tensor) {
  return tensor.to(at::kCPU, at::kDouble).contiguous();
}

// The patches under a 3x3 zero padded window: [B,H,W,K,9].
at::Tensor Patches3x3(const at::Tensor& x) {
  return at::im2col(x, {3, 3}, /*dilation=*/{1, 1}, /*padding=*/{1, 1},
                    /*stride=*/{1, 1})
      .view({x.size(0), x.size(1), 9, x.size(2), x.size(3)})
      .permute({0, 3, 4, 1, 2});
}

// [B,H,W,P] and [B,H,W,Q] to [B,H,W,P*Q].
at::Tensor Outer(const at::Tensor& a, const at::Tensor& b) {
  return (a.unsqueeze(4) * b.unsqueeze(3)).flatten(3);
}

}  // namespace

at::Tensor Contribution(Extract extract, const LayerRecord& record) {
  const at::Tensor x = InDouble(record.activation);
  const at::Tensor g = InDouble(record.gradient).permute({0, 2, 3, 1});
  switch (extract) {
    case Extract::kBias:
      return g;
    case Extract::kScaling:
      return g * x.permute({0, 2, 3, 1});
    case Extract::kConv1x1:
      return Outer(x.permute({0, 2, 3, 1}), g);
    case Extract::kConv3x3:
      return Outer(Patches3x3(x).flatten(3), g);
    case Extract::kDepthwise3x3:
      return (Patches3x3(x) * g.unsqueeze(4)).flatten(3);
  }
  return {};
}

at::Tensor AggregateLast(Aggregate aggregate, const at::Tensor& contribution) {
  switch (aggregate) {
    case Aggregate::kSum:
      return contribution.sum(-1);
    case Aggregate::kPositiveSum:
      return contribution.sum(-1).relu();
    case Aggregate::kNorm:
      return contribution.square().sum(-1).sqrt();
    case Aggregate::kPositiveNorm:
      return contribution.relu().square().sum(-1).sqrt();
    case Aggregate::kMax:
      return contribution.amax(-1);
    case Aggregate::kMaxAbs:
      return contribution.abs().amax(-1);
  }
  return {};
}

at::Tensor RealConvContribution(const ConvRecord& record) {
  const ConvGeometry& geometry = record.geometry;
  const at::Tensor g = InDouble(record.output_gradient);
  const at::Tensor x = at::constant_pad_nd(
      InDouble(record.input),
      {geometry.padding_before[1], geometry.padding_after[1],
       geometry.padding_before[0], geometry.padding_after[0]});
  const int64_t batch = g.size(0);
  const int64_t height = g.size(2);
  const int64_t width = g.size(3);
  const int64_t groups = geometry.groups;
  const int64_t in = x.size(1) / groups;
  const int64_t out = g.size(1) / groups;
  const int64_t kh = geometry.kernel[0];
  const int64_t kw = geometry.kernel[1];
  // [B,groups,1,in,kh,kw,H,W] against [B,groups,out,1,1,1,H,W].
  const at::Tensor patches =
      at::im2col(x, geometry.kernel, geometry.dilation, {0, 0}, geometry.stride)
          .view({batch, groups, 1, in, kh, kw, height, width});
  const at::Tensor gradient =
      g.view({batch, groups, out, 1, 1, 1, height, width});
  return (patches * gradient)
      .permute({0, 6, 7, 1, 2, 3, 4, 5})
      .reshape({batch, height, width, groups * out, in, kh, kw});
}

at::Tensor Resize(const at::Tensor& maps, int64_t height, int64_t width) {
  const at::Tensor source = InDouble(maps);
  const auto from = source.accessor<double, 3>();
  at::Tensor result =
      at::empty({maps.size(0), height, width}, source.options());
  auto to = result.accessor<double, 3>();
  // Two samples and the share of the second.
  struct Between {
    int64_t low;
    int64_t high;
    double share;
  };
  const auto between = [](int64_t i, int64_t size_out, int64_t size_in) {
    const double scale = static_cast<double>(size_in) / size_out;
    const double at = std::max(0.0, (i + 0.5) * scale - 0.5);
    const int64_t low = std::min<int64_t>(std::floor(at), size_in - 1);
    return Between{low, std::min(low + 1, size_in - 1), at - low};
  };
  for (int64_t b = 0; b < maps.size(0); ++b) {
    for (int64_t i = 0; i < height; ++i) {
      for (int64_t j = 0; j < width; ++j) {
        const Between y = between(i, height, maps.size(1));
        const Between x = between(j, width, maps.size(2));
        const double top = (1 - x.share) * from[b][y.low][x.low] +
                           x.share * from[b][y.low][x.high];
        const double bottom = (1 - x.share) * from[b][y.high][x.low] +
                              x.share * from[b][y.high][x.high];
        to[b][i][j] = (1 - y.share) * top + y.share * bottom;
      }
    }
  }
  return result;
}

at::Tensor Smooth(const at::Tensor& maps, double sigma_fraction) {
  const at::Tensor source = InDouble(maps);
  const auto from = source.accessor<double, 3>();
  at::Tensor result = at::empty_like(source);
  auto to = result.accessor<double, 3>();
  const int64_t height = maps.size(1);
  const int64_t width = maps.size(2);
  const double sigma = sigma_fraction * std::max(height, width);
  const auto half = static_cast<int64_t>(std::ceil(4 * sigma));
  for (int64_t b = 0; b < maps.size(0); ++b) {
    for (int64_t i = 0; i < height; ++i) {
      for (int64_t j = 0; j < width; ++j) {
        double sum = 0;
        double total = 0;
        for (int64_t dy = -half; dy <= half; ++dy) {
          for (int64_t dx = -half; dx <= half; ++dx) {
            const double weight =
                std::exp(-0.5 * static_cast<double>(dy * dy + dx * dx) /
                         (sigma * sigma));
            const int64_t y = std::clamp<int64_t>(i + dy, 0, height - 1);
            const int64_t x = std::clamp<int64_t>(j + dx, 0, width - 1);
            sum += weight * from[b][y][x];
            total += weight;
          }
        }
        to[b][i][j] = sum / total;
      }
    }
  }
  return result;
}

}  // namespace saliency::oracle
