// Class activation mapping: channels weighted by the linear head's weights of
// the explained class.  Signed.  Needs a head of global average pooling and one
// linear layer; the model room says so where there is none.
//
// Source: Zhou, Khosla, Lapedriza, Oliva, Torralba, CVPR 2016,
// arXiv:1512.04150, eq. 2.

#include <ATen/ATen.h>

#include "core/attribution/channel_reductions.h"
#include "core/attribution/method.h"

namespace saliency::methods {
namespace {

at::Tensor Cam(const MethodContext& context) {
  return WeightedChannelSum(context.layer.activation, context.head_weights);
}

}  // namespace

extern const Method cam;  // declared first: a const is otherwise internal
const Method cam = {
    .name = "cam",
    .summary = "Channels weighted by the linear head's weights of the class",
    .formula = "sum_k W_ck x_k",
    .source = "Zhou et al. 2016, arXiv:1512.04150, eq. 2",
    .method_inputs = MethodInputs::kActivationAndHead,
    .is_signed = true,
    .attribute = &Cam,
    .aliases = "classactivationmap classactivationmapping",
};

}  // namespace saliency::methods
