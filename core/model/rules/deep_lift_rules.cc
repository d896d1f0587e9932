#include "core/model/rules/deep_lift_rules.h"

#include <ATen/ATen.h>

#include <memory>
#include <tuple>
#include <vector>

#include "core/model/rules/local_derivative.h"
#include "core/model/rules/operator_family.h"
#include "core/model/rules/operator_rule.h"

namespace saliency {
namespace {

// Below this a difference is none, and the derivative stands for the quotient.
constexpr double kNoDifference = 1e-10;

// What one image came to, for each that `like` is of.
at::Tensor LikeRows(const at::Tensor& reference, const at::Tensor& like) {
  if (reference.dim() == 0 || like.size(0) == reference.size(0)) {
    return reference;
  }
  std::vector<int64_t> times(reference.dim(), 1);
  times[0] = like.size(0) / reference.size(0);
  return reference.repeat(times);
}

class RescaleRule : public OperatorRule {
 public:
  std::vector<at::Tensor> Backward(const RuledCall& call,
                                   const at::Tensor& signal) const override {
    const at::Tensor dx =
        call.inputs[0] - LikeRows(call.reference_inputs[0], call.inputs[0]);
    const at::Tensor dy =
        call.output - LikeRows(call.reference_output, call.output);
    return {at::where(dx.abs() < kNoDifference, LocalDerivative(call, signal),
                      signal * dy / dx)};
  }
};

class MaxPoolRule : public OperatorRule {
 public:
  std::vector<at::Tensor> Backward(const RuledCall& call,
                                   const at::Tensor& signal) const override {
    const at::Tensor& x = call.inputs[0];
    const at::Tensor reference = LikeRows(call.reference_inputs[0], x);
    const auto [y, place] = Pool(call, x);
    const auto [y_reference, place_reference] = Pool(call, reference);
    const at::Tensor larger = at::maximum(y, y_reference);
    const at::Tensor contribution =
        Scatter(x, place, signal * (larger - y_reference)) +
        Scatter(x, place_reference, signal * (y - larger));
    const at::Tensor dx = x - reference;
    return {at::where(dx.abs() < kNoDifference, Scatter(x, place, signal),
                      contribution / dx)};
  }

 private:
  static std::tuple<at::Tensor, at::Tensor> Pool(const RuledCall& call,
                                                 const at::Tensor& x) {
    const torch::jit::Stack& with = call.arguments;
    return at::max_pool2d_with_indices(
        x, with[1].toIntVector(), with[2].toIntVector(), with[3].toIntVector(),
        with[4].toIntVector(), with[5].toBool());
  }

  // Values [..,h,w] at their places in x [..,H,W].
  static at::Tensor Scatter(const at::Tensor& x, const at::Tensor& place,
                            const at::Tensor& values) {
    const int64_t axis = x.dim() - 2;
    return at::zeros_like(x, at::MemoryFormat::Contiguous)
        .flatten(axis)
        .scatter_add(axis, place.flatten(axis), values.flatten(axis))
        .view_as(x);
  }
};

class MeanFactorRule : public OperatorRule {
 public:
  std::vector<at::Tensor> Backward(const RuledCall& call,
                                   const at::Tensor& signal) const override {
    std::vector<at::Tensor> means;
    for (std::size_t i = 0; i < 2; ++i) {
      means.push_back((call.inputs[i] +
                       LikeRows(call.reference_inputs[i], call.inputs[i])) /
                      2);
    }
    return ProductDerivative(call, means, signal);
  }
};

}  // namespace

Treatment TreatByDeepLift(const BackwardRule& rule, const NodeView& node) {
  switch (FamilyOf(node)) {
    case OperatorFamily::kNone:
    case OperatorFamily::kMoves:
    case OperatorFamily::kAverages:
    case OperatorFamily::kWeighted:
    case OperatorFamily::kBatchNorm:
    case OperatorFamily::kAdds:
    case OperatorFamily::kScales:
      return Treatment::Plain();
    case OperatorFamily::kRelu:
    case OperatorFamily::kActivation:
    case OperatorFamily::kGate:
      return Treatment::Ruled(std::make_shared<RescaleRule>(), {0});
    case OperatorFamily::kMaxPool:
      if (rule.plain_max_pools) return Treatment::Plain();
      if (!node.IsOneOf({"aten::max_pool2d"})) break;
      return Treatment::Ruled(std::make_shared<MaxPoolRule>(), {0});
    case OperatorFamily::kMultiplies:
    case OperatorFamily::kMatrixProduct:
      return Treatment::Ruled(std::make_shared<MeanFactorRule>(), {0, 1});
    case OperatorFamily::kLayerNorm:
    case OperatorFamily::kSoftmax:
    case OperatorFamily::kOther:
      break;
  }
  return Treatment::Refused("which it has no rule for");
}

}  // namespace saliency
