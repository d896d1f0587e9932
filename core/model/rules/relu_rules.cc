#include "core/model/rules/relu_rules.h"

#include <ATen/ATen.h>

#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "core/model/rules/operator_rule.h"

namespace saliency {
namespace {

// y = x above 0 and slope x below, at most `top`.
struct Ramp {
  double slope = 0;
  double top = std::numeric_limits<double>::infinity();
};

class ReluRule : public OperatorRule {
 public:
  explicit ReluRule(const Ramp& ramp) : ramp_(ramp) {}

 protected:
  // Without what the top cut off.
  at::Tensor BelowTop(const at::Tensor& signal, const at::Tensor& x) const {
    if (ramp_.top == std::numeric_limits<double>::infinity()) return signal;
    return signal * (x <= ramp_.top);
  }

  const Ramp ramp_;
};

class Deconvnet : public ReluRule {
 public:
  using ReluRule::ReluRule;

  std::vector<at::Tensor> Backward(const RuledCall& call,
                                   const at::Tensor& signal) const override {
    const at::Tensor kept = BelowTop(signal, call.inputs[0]);
    return {ramp_.slope == 0 ? kept.clamp_min(0)
                             : at::leaky_relu(kept, ramp_.slope)};
  }
};

class GuidedBackprop : public ReluRule {
 public:
  using ReluRule::ReluRule;

  std::vector<at::Tensor> Backward(const RuledCall& call,
                                   const at::Tensor& signal) const override {
    const at::Tensor& x = call.inputs[0];
    const at::Tensor below_top = BelowTop(signal, x);
    if (ramp_.slope == 0) {
      // Two passes over memory, where masks take four.  What is kept is x above
      // the threshold: 0 is, and no other number that matters lies between.
      constexpr float kJustBelow0 = -std::numeric_limits<float>::min();
      return {at::threshold_backward(below_top, x, kJustBelow0).clamp_min_(0)};
    }
    const at::Tensor kept = below_top.clamp_min(0);
    return {at::where(x >= 0, kept, kept * ramp_.slope)};
  }
};

bool IsReluName(const NodeView& node) {
  return node.IsOneOf({"aten::relu", "aten::relu_", "aten::relu6",
                       "aten::relu6_", "aten::hardtanh", "aten::hardtanh_",
                       "aten::leaky_relu", "aten::leaky_relu_", "aten::clamp",
                       "aten::clamp_", "aten::clip", "aten::clip_",
                       "aten::clamp_min", "aten::clamp_min_"});
}

// Those that have a lower end and keep their derivative where it is not 0.
bool IsClamp(const NodeView& node) {
  return node.IsOneOf({"aten::clamp", "aten::clamp_", "aten::clip",
                       "aten::clip_", "aten::clamp_min", "aten::clamp_min_"});
}

std::optional<Ramp> RampBetween(std::optional<double> low,
                                std::optional<double> high) {
  if (!low || *low != 0) return std::nullopt;
  Ramp ramp;
  if (high) ramp.top = *high;
  return ramp;
}

// Nothing for what is no ReLU.
std::optional<Ramp> RampOf(const NodeView& node) {
  if (node.IsOneOf({"aten::relu"})) return Ramp{};
  if (node.IsOneOf({"aten::relu6"})) return Ramp{.top = 6};
  if (node.IsOneOf({"aten::hardtanh"})) {
    return RampBetween(node.Number("min_val"), node.Number("max_val"));
  }
  if (node.IsOneOf({"aten::clamp", "aten::clip", "aten::clamp_min"})) {
    return RampBetween(node.Number("min"), node.Number("max"));
  }
  if (node.IsOneOf({"aten::leaky_relu"})) {
    const std::optional<double> slope = node.Number("negative_slope");
    return slope ? std::optional<Ramp>({.slope = *slope}) : std::nullopt;
  }
  return std::nullopt;
}

// Activations that are no ReLU, with what stands at their end when they write
// in place.
bool IsOtherActivation(const NodeView& node) {
  return node.IsOneOf(
      {"aten::celu",         "aten::celu_",      "aten::elu",
       "aten::elu_",         "aten::gelu",       "aten::gelu_",
       "aten::glu",          "aten::hardshrink", "aten::hardsigmoid",
       "aten::hardsigmoid_", "aten::hardswish",  "aten::hardswish_",
       "aten::hardtanh",     "aten::hardtanh_",  "aten::leaky_relu",
       "aten::log_sigmoid",  "aten::mish",       "aten::mish_",
       "aten::prelu",        "aten::rrelu",      "aten::rrelu_",
       "aten::selu",         "aten::selu_",      "aten::sigmoid",
       "aten::sigmoid_",     "aten::silu",       "aten::silu_",
       "aten::softplus",     "aten::softshrink", "aten::softsign",
       "aten::tanh",         "aten::tanh_",      "aten::threshold",
       "aten::threshold_"});
}

}  // namespace

Treatment TreatByReluRule(const BackwardRule& rule, const NodeView& node) {
  if (!node.IsActivation(0)) return Treatment::Plain();
  if (const std::optional<Ramp> ramp = RampOf(node)) {
    if (rule.kind == BackwardRule::Kind::kDeconvnet) {
      return Treatment::Ruled(std::make_shared<Deconvnet>(*ramp), {0});
    }
    return Treatment::Ruled(std::make_shared<GuidedBackprop>(*ramp), {0});
  }
  if (IsOtherActivation(node)) {
    return rule.allow_unsupported_activations
               ? Treatment::Plain()
               : Treatment::Refused("which is no ReLU");
  }
  // What is left of ReLUs writes in place, where the graph could not be rid of
  // that.
  if (IsReluName(node) && !IsClamp(node)) {
    return Treatment::Refused("which writes in place");
  }
  return Treatment::Plain();
}

}  // namespace saliency
