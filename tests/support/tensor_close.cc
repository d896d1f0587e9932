#include "tests/support/tensor_close.h"

#include <ATen/ATen.h>

namespace saliency {
namespace {

at::Tensor InDouble(const at::Tensor& tensor) {
  return tensor.detach().to(at::kCPU, at::kDouble).contiguous();
}

std::string IndexText(int64_t flat, at::IntArrayRef sizes) {
  std::string text = "]";
  for (auto size = sizes.rbegin(); size != sizes.rend(); ++size) {
    text = std::to_string(flat % *size) + (text == "]" ? "" : ",") + text;
    flat /= *size;
  }
  return "[" + text;
}

}  // namespace

testing::AssertionResult RowsClose(const at::Tensor& actual,
                                   const at::Tensor& expected,
                                   double tolerance) {
  if (actual.sizes() != expected.sizes()) {
    return testing::AssertionFailure()
           << "shape " << actual.sizes() << ", expected " << expected.sizes();
  }
  const at::Tensor got = InDouble(actual);
  const at::Tensor want = InDouble(expected);
  for (int64_t row = 0; row < want.size(0); ++row) {
    const at::Tensor a = got[row].flatten();
    const at::Tensor b = want[row].flatten();
    const at::Tensor difference = (a - b).abs();
    const at::Tensor bound = b.abs().amax() * tolerance;
    const at::Tensor far = (difference <= bound).logical_not();  // NaN is far
    if (!far.any().item<bool>()) continue;
    const auto first = far.to(at::kInt).argmax().item<int64_t>();
    return testing::AssertionFailure()
           << "row " << row << ", first at "
           << IndexText(first, want[row].sizes()) << ": got "
           << a[first].item<double>() << ", expected "
           << b[first].item<double>() << "; largest difference "
           << difference.max().item<double>() << ", allowed "
           << bound.item<double>();
  }
  return testing::AssertionSuccess();
}

testing::AssertionResult Identical(const at::Tensor& actual,
                                   const at::Tensor& expected) {
  if (actual.sizes() != expected.sizes()) {
    return testing::AssertionFailure()
           << "shape " << actual.sizes() << ", expected " << expected.sizes();
  }
  if (at::equal(actual.cpu(), expected.cpu())) {
    return testing::AssertionSuccess();
  }
  return testing::AssertionFailure()
         << "largest difference "
         << (InDouble(actual) - InDouble(expected)).abs().max().item<double>();
}

}  // namespace saliency
