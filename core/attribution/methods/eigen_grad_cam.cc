// Eigen-Grad-CAM: the first principal component over positions of activation
// times gradient.  Signed, with the sign that makes the map correlate
// positively with the channels' summed magnitude.
//
// Source: pytorch-grad-cam's EigenGradCAM; after Muhammad and Yeasin 2020.

#include <ATen/ATen.h>

#include "core/attribution/method.h"
#include "core/attribution/principal_map.h"

namespace saliency::methods {
namespace {

at::Tensor EigenGradCam(const MethodContext& context) {
  return PrincipalMap(context.layer.activation * context.layer.gradient);
}

}  // namespace

extern const Method
    eigen_grad_cam;  // declared first: a const is otherwise internal
const Method eigen_grad_cam = {
    .name = "eigen_grad_cam",
    .summary = "First principal component of activation times gradient",
    .formula = "(g x) v_1, of g x as [H W,K] with centred columns",
    .source = "pytorch-grad-cam's EigenGradCAM; after Muhammad and Yeasin 2020",
    .method_inputs = MethodInputs::kActivationAndGradient,
    .is_signed = true,
    .attribute = &EigenGradCam,
};

}  // namespace saliency::methods
