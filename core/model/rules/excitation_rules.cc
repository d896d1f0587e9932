#include "core/model/rules/excitation_rules.h"

#include <ATen/ATen.h>

#include <memory>
#include <vector>

#include "core/model/rules/linear_parts.h"
#include "core/model/rules/operator_family.h"
#include "core/model/rules/operator_rule.h"

namespace saliency {
namespace {

// Keeps a quotient of zeros finite.
constexpr double kTiny = 1e-20;

// x . f^T(p / (f(x) + tiny)).
at::Tensor Excite(const RuledCall& call, const torch::jit::Stack& arguments,
                  const at::Tensor& signal) {
  const at::Tensor& x = call.inputs[0];
  const LinearMap map(call, x, arguments);
  return x * map.Back(signal / (map.y() + kTiny));
}

class WeightedExcitation : public OperatorRule {
 public:
  WeightedExcitation(const WeightedArguments& at, bool contrasts)
      : at_(at), contrasts_(contrasts) {}

  std::vector<at::Tensor> Backward(const RuledCall& call,
                                   const at::Tensor& signal) const override {
    const at::Tensor excited =
        Excite(call, WithWeights(call, at_, WeightPart::kPositive), signal);
    if (!contrasts_) return {excited};
    return {excited -
            Excite(call, WithWeights(call, at_, WeightPart::kNegatedPositive),
                   signal)};
  }

 private:
  const WeightedArguments at_;
  const bool contrasts_;
};

class AverageExcitation : public OperatorRule {
 public:
  std::vector<at::Tensor> Backward(const RuledCall& call,
                                   const at::Tensor& signal) const override {
    return {Excite(call, call.arguments, signal)};
  }
};

// Of an operator that keeps the shape of its input.
class PassOn : public OperatorRule {
 public:
  std::vector<at::Tensor> Backward(const RuledCall& call,
                                   const at::Tensor& signal) const override {
    return {signal.sum_to_size(call.inputs[0].sizes())};
  }
};

// a + alpha b; of a and b in proportion, or in halves where they cancel out.
class SplitSum : public OperatorRule {
 public:
  explicit SplitSum(double alpha) : alpha_(alpha) {}

  std::vector<at::Tensor> Backward(const RuledCall& call,
                                   const at::Tensor& signal) const override {
    const at::Tensor cancelled = call.output == 0;
    const auto share = [&](const at::Tensor& x, double factor) {
      return (at::where(cancelled, 0.5, factor * x / call.output) * signal)
          .sum_to_size(x.sizes());
    };
    return {share(call.inputs[0], 1), share(call.inputs[1], alpha_)};
  }

 private:
  const double alpha_;
};

Treatment TreatSum(const BackwardRule& rule, const NodeView& node) {
  // A constant takes no part.
  if (node.activations().size() < 2) return Treatment::Plain();
  if (node.IsOneOf({"aten::sub", "aten::sub_", "aten::__isub__"})) {
    return Treatment::Refused("which takes activations from each other");
  }
  if (!rule.split_sums) return Treatment::Plain();
  return Treatment::Ruled(
      std::make_shared<SplitSum>(node.Number("alpha").value_or(1)), {0, 1});
}

}  // namespace

Treatment TreatByExcitation(const BackwardRule& rule, const NodeView& node,
                            bool is_last) {
  switch (FamilyOf(node)) {
    case OperatorFamily::kNone:
    case OperatorFamily::kMoves:
    case OperatorFamily::kMaxPool:
    case OperatorFamily::kRelu:
      return Treatment::Plain();
    case OperatorFamily::kWeighted: {
      const WeightedArguments at = *ReadWeighted(node);
      const bool contrasts =
          is_last && rule.kind == BackwardRule::Kind::kContrastiveExcitation;
      return Treatment::Ruled(
          std::make_shared<WeightedExcitation>(at, contrasts), {at.x});
    }
    case OperatorFamily::kAverages:
      return Treatment::Ruled(std::make_shared<AverageExcitation>(), {0});
    case OperatorFamily::kBatchNorm:
      return Treatment::Ruled(std::make_shared<PassOn>(), {0});
    case OperatorFamily::kScales:
      return Treatment::Ruled(std::make_shared<PassOn>(), node.activations());
    case OperatorFamily::kAdds:
      return TreatSum(rule, node);
    case OperatorFamily::kLayerNorm:
    case OperatorFamily::kMultiplies:
    case OperatorFamily::kMatrixProduct:
    case OperatorFamily::kActivation:
    case OperatorFamily::kGate:
    case OperatorFamily::kSoftmax:
    case OperatorFamily::kOther:
      break;
  }
  return Treatment::Refused("which it has no rule for");
}

}  // namespace saliency
