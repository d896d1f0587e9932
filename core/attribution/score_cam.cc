#include "core/attribution/score_cam.h"

#include <ATen/ATen.h>

#include <limits>

#include "core/attribution/postprocess.h"

namespace saliency {
namespace {

constexpr double kConstant = 1e-6;  // as MapSummary::constant

at::Tensor Activation(const MethodContext& context) {
  return context.layer.activation;
}

// [K]: whether each channel of [K,H,W] varies.
at::Tensor Varies(const at::Tensor& activation) {
  const at::Tensor range = activation.amax({1, 2}) - activation.amin({1, 2});
  return range.gt(activation.abs().amax({1, 2}) * kConstant)
      .logical_or(range.isnan());
}

}  // namespace

const Method kScoreCamActivation = {.name = "score_cam",
                                    .summary = "",
                                    .formula = "",
                                    .source = "",
                                    .method_inputs = MethodInputs::kActivation,
                                    .is_signed = true,
                                    .attribute = &Activation};

at::Tensor ScoreCamMask(const at::Tensor& activation, int64_t channel,
                        int64_t height, int64_t width) {
  return NormaliseMaps(
             ResizeMaps(activation.narrow(0, channel, 1), height, width))
      .squeeze(0);
}

at::Tensor ScoreCamMap(const at::Tensor& activation, const at::Tensor& scores) {
  const at::Tensor varies = Varies(activation);
  const at::Tensor wide = activation.to(at::kDouble);
  if (!varies.any().item<bool>()) return at::zeros_like(wide[0]);
  const at::Tensor weights =
      scores
          .masked_fill(varies.logical_not(),
                       -std::numeric_limits<double>::infinity())
          .softmax(0);
  return (weights.view({-1, 1, 1}) * wide).sum(0).clamp_min(0);
}

}  // namespace saliency
