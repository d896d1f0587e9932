#include "tests/model/root_module.h"

namespace saliency::root_module {
namespace {

// [N,4,h,w] to logits, by the parameters "head" [5,4] and "shift" [5].
constexpr char kHead[] =
    "  return torch.linear(torch.mean(y, [2, 3]), self.head, self.shift)\n";

}  // namespace

at::Tensor Weight(at::IntArrayRef sizes, double scale) {
  return (at::randn(sizes) * scale).requires_grad_(true);
}

Root WithHead() {
  return Root()
      .Parameter("head", Weight({5, 4}))
      .Parameter("shift", Weight({5}))
      .Parameter("stem", Weight({4, 3, 3, 3}));
}

std::string Body(const std::string& lines) {
  return "  y = torch.tanh(torch.conv2d(x, self.stem, None, [1, 1], [1, "
         "1]))\n" +
         lines + kHead;
}

}  // namespace saliency::root_module
