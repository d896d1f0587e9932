// Eigen-CAM: the activation's first principal component over positions.  Looks
// at no class and no gradient.  Signed, with the sign that makes the map
// correlate positively with the channels' summed magnitude.
//
// Source: Muhammad and Yeasin 2020, arXiv:2008.00299, eq. 2 and 3.

#include <ATen/ATen.h>

#include "core/attribution/method.h"
#include "core/attribution/principal_map.h"

namespace saliency::methods {
namespace {

at::Tensor EigenCam(const MethodContext& context) {
  return PrincipalMap(context.layer.activation);
}

}  // namespace

extern const Method eigen_cam;  // declared first: a const is otherwise internal
const Method eigen_cam = {
    .name = "eigen_cam",
    .summary =
        "First principal component of the activation; the same for every class",
    .formula = "x v_1, of x as [H W,K] with centred columns",
    .source = "Muhammad and Yeasin 2020, arXiv:2008.00299, eq. 2 and 3",
    .method_inputs = MethodInputs::kActivation,
    .is_signed = true,
    .attribute = &EigenCam,
};

}  // namespace saliency::methods
