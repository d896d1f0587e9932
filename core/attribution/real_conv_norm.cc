#include <ATen/ATen.h>

#include <cassert>

#include "core/attribution/channel_reductions.h"
#include "core/attribution/extract_aggregate.h"
#include "core/attribution/windows.h"

namespace saliency {
namespace {

// [B,K,H,W] as [B * groups, K / groups, H, W].
at::Tensor SplitGroups(const at::Tensor& values, int64_t groups) {
  assert(values.size(1) % groups == 0);
  return values.reshape({values.size(0) * groups, values.size(1) / groups,
                         values.size(2), values.size(3)});
}

}  // namespace

// The contribution at u is one block g_grp,u x_grp,patch^T per group, and the
// norm of an outer product is the product of the norms.
at::Tensor RealConvNorm(const ConvRecord& record) {
  const ConvGeometry& geometry = record.geometry;
  const at::Tensor& gradient = record.output_gradient;
  assert(record.input.size(0) == gradient.size(0));
  const at::Tensor gradient_norm =
      ReduceChannels(Reduction::kNorm, SplitGroups(gradient, geometry.groups));
  const at::Tensor input_norm = ReduceChannels(
      Reduction::kNorm, SplitGroups(record.input, geometry.groups));
  const at::Tensor patch_norm = WindowNorm(input_norm.unsqueeze(1), geometry,
                                           {gradient.size(2), gradient.size(3)})
                                    .squeeze(1);
  if (geometry.groups == 1) return gradient_norm * patch_norm;
  const std::vector<int64_t> by_group = {gradient.size(0), geometry.groups,
                                         gradient.size(2), gradient.size(3)};
  return ReduceProduct(Reduction::kNorm, gradient_norm.view(by_group),
                       patch_norm.view(by_group));
}

}  // namespace saliency
