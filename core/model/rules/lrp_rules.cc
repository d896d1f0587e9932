#include "core/model/rules/lrp_rules.h"

#include <ATen/ATen.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "core/model/rules/gates.h"
#include "core/model/rules/linear_parts.h"
#include "core/model/rules/local_derivative.h"
#include "core/model/rules/operator_family.h"
#include "core/model/rules/operator_rule.h"

namespace saliency {
namespace {

// a / b, and 0 where b is.
at::Tensor Quotient(const at::Tensor& a, const at::Tensor& b) {
  return at::where(b == 0, 0.0, a / b);
}

class EpsilonRule : public OperatorRule {
 public:
  EpsilonRule(const WeightedArguments& at, double epsilon)
      : at_(at), epsilon_(epsilon) {}

  // m_in = f^T(m z / (z + epsilon sign z)).
  std::vector<at::Tensor> Backward(const RuledCall& call,
                                   const at::Tensor& signal) const override {
    const LinearMap map(call, call.inputs[0],
                        WithWeights(call, at_, WeightPart::kAll));
    const at::Tensor size = call.output.abs();
    return {map.Back(signal * Quotient(size, size + epsilon_))};
  }

 private:
  const WeightedArguments at_;
  const double epsilon_;
};

// What speaks for and against each output, bias included, and how a share of it
// goes back.
class SignedParts {
 public:
  SignedParts(const RuledCall& call, const WeightedArguments& at)
      : x_(call.inputs[0]),
        positive_(call, x_, WithWeights(call, at, WeightPart::kPositive)),
        negative_(call, x_, WithWeights(call, at, WeightPart::kNegative)) {
    // For x >= 0 the positive weights alone speak for an output.
    supports_ = positive_.y();
    if ((x_ < 0).any().item<bool>()) {
      const LinearMap above(call, x_.clamp_min(0),
                            WithWeights(call, at, WeightPart::kPositive));
      const LinearMap below(call, x_.clamp_max(0),
                            WithWeights(call, at, WeightPart::kNegative));
      supports_ = above.y() + below.y();
    }
    const at::Tensor bias = BiasOf(call, at);
    if (bias.defined()) supports_ = supports_ + bias.clamp_min(0);
    opposes_ = call.output - supports_;
  }

  const at::Tensor& supports() const { return supports_; }  // >= 0
  const at::Tensor& opposes() const { return opposes_; }    // <= 0, rounded

  // sum_j (x_i w_ij)+ a_j + (x_i w_ij)- b_j, divided by x_i.
  at::Tensor Back(const at::Tensor& a, const at::Tensor& b) const {
    const at::Tensor above = positive_.Back(a) + negative_.Back(b);
    const at::Tensor below = negative_.Back(a) + positive_.Back(b);
    return at::where(x_ >= 0, above, below);
  }

 private:
  const at::Tensor& x_;
  const LinearMap positive_;
  const LinearMap negative_;
  at::Tensor supports_;
  at::Tensor opposes_;
};

class GammaRule : public OperatorRule {
 public:
  GammaRule(const WeightedArguments& at, double gamma)
      : at_(at), gamma_(gamma) {}

  // What has the sign of z_j counts 1 + gamma times, so that the sum divided by
  // is never smaller than z_j.
  std::vector<at::Tensor> Backward(const RuledCall& call,
                                   const at::Tensor& signal) const override {
    const at::Tensor& z = call.output;
    const SignedParts parts(call, at_);
    const at::Tensor is_positive = z > 0;
    const at::Tensor same =
        at::where(is_positive, parts.supports(), parts.opposes());
    const at::Tensor share = signal * Quotient(z, z + gamma_ * same);
    return {parts.Back(share * (1 + gamma_ * is_positive),
                       share * (1 + gamma_ * is_positive.logical_not()))};
  }

 private:
  const WeightedArguments at_;
  const double gamma_;
};

class AlphaBetaRule : public OperatorRule {
 public:
  AlphaBetaRule(const WeightedArguments& at, double alpha, double beta)
      : at_(at), alpha_(alpha), beta_(beta) {}

  std::vector<at::Tensor> Backward(const RuledCall& call,
                                   const at::Tensor& signal) const override {
    const SignedParts parts(call, at_);
    const at::Tensor relevance = signal * call.output;
    return {
        parts.Back(alpha_ * Quotient(relevance, parts.supports()),
                   -beta_ * Quotient(relevance, parts.opposes().clamp_max(0)))};
  }

 private:
  const WeightedArguments at_;
  const double alpha_;
  const double beta_;
};

// z^B: of pixels between `black` and `white`, R_i = sum_j (x_i w_ij - l_i w_ij+
// - h_i w_ij-) / (its sum over i) R_j.
class PixelRule : public OperatorRule {
 public:
  PixelRule(const WeightedArguments& at, const PixelRange& pixels)
      : at_(at), pixels_(pixels) {}

  std::vector<at::Tensor> Backward(const RuledCall& call,
                                   const at::Tensor& signal) const override {
    const at::Tensor& x = call.inputs[0];
    const at::Tensor low = Colour(pixels_.black, x);
    const at::Tensor high = Colour(pixels_.white, x);
    const LinearMap all(call, x, WithWeights(call, at_, WeightPart::kAll));
    const LinearMap positive(call, low,
                             WithWeights(call, at_, WeightPart::kPositive));
    const LinearMap negative(call, high,
                             WithWeights(call, at_, WeightPart::kNegative));
    const at::Tensor share =
        Quotient(signal * call.output, all.y() - positive.y() - negative.y());
    const at::Tensor relevance = x * all.Back(share) -
                                 low * positive.Back(share) -
                                 high * negative.Back(share);
    return {Quotient(relevance, x)};
  }

 private:
  static at::Tensor Colour(const std::vector<float>& values,
                           const at::Tensor& x) {
    return at::tensor(values).to(x.options()).view({1, -1, 1, 1}).expand_as(x);
  }

  const WeightedArguments at_;
  const PixelRange pixels_;
};

// Relevance passes on unchanged: m_in = m y / x.
class IdentityRule : public OperatorRule {
 public:
  std::vector<at::Tensor> Backward(const RuledCall& call,
                                   const at::Tensor& signal) const override {
    const at::Tensor& x = call.inputs[0];
    return {at::where(x == 0, LocalDerivative(call, signal),
                      signal * call.output / x)};
  }
};

// Each of two factors has half of the relevance.
class HalfRule : public OperatorRule {
 public:
  std::vector<at::Tensor> Backward(const RuledCall& call,
                                   const at::Tensor& signal) const override {
    return ProductDerivative(call, call.inputs, 0.5 * signal);
  }
};

// What is gated has all of the relevance, as if its gate were a constant.
class GateRule : public OperatorRule {
 public:
  explicit GateRule(std::size_t gate) : gate_(gate) {}

  std::vector<at::Tensor> Backward(const RuledCall& call,
                                   const at::Tensor& signal) const override {
    std::vector<at::Tensor> back = ProductDerivative(call, call.inputs, signal);
    back[gate_].zero_();
    return back;
  }

 private:
  const std::size_t gate_;
};

// The standard deviation is taken for a constant.
class LayerNormRule : public OperatorRule {
 public:
  std::vector<at::Tensor> Backward(const RuledCall& call,
                                   const at::Tensor& signal) const override {
    const at::Tensor& x = call.inputs[0];
    std::vector<int64_t> axes;
    const auto count =
        static_cast<int64_t>(call.arguments[1].toIntVector().size());
    for (int64_t axis = -count; axis < 0; ++axis) axes.push_back(axis);
    const double eps = call.arguments[4].toDouble();
    const at::Tensor scale =
        (x.var(axes, /*unbiased=*/false, /*keepdim=*/true) + eps).rsqrt();
    at::Tensor scaled = signal * scale;
    const c10::IValue& weight = call.arguments[2];
    if (weight.isTensor() && weight.toTensor().defined()) {
      scaled = scaled * weight.toTensor();
    }
    return {scaled - scaled.mean(axes, /*keepdim=*/true)};
  }
};

Treatment TreatWeighted(const BackwardRule& rule, const NodeView& node,
                        bool takes_image, const PixelRange& pixels) {
  const WeightedArguments at = *ReadWeighted(node);
  const auto ruled = [&](std::shared_ptr<const OperatorRule> made) {
    return Treatment::Ruled(std::move(made), {at.x});
  };
  const bool is_composite = rule.kind == BackwardRule::Kind::kLrpComposite;
  if (is_composite && takes_image && at.is_convolution) {
    return ruled(std::make_shared<PixelRule>(at, pixels));
  }
  if (rule.kind == BackwardRule::Kind::kLrpAlphaBeta) {
    return ruled(std::make_shared<AlphaBetaRule>(at, rule.alpha, rule.beta));
  }
  if (rule.kind == BackwardRule::Kind::kLrpGamma ||
      (is_composite && at.is_convolution)) {
    return ruled(std::make_shared<GammaRule>(at, rule.gamma));
  }
  return ruled(std::make_shared<EpsilonRule>(at, rule.epsilon));
}

Treatment TreatProduct(const NodeView& node, const ActivationFlow& flow) {
  const std::optional<std::size_t> gate = GateFactor(node, flow);
  if (gate.has_value()) {
    return Treatment::Ruled(std::make_shared<GateRule>(*gate), {0, 1});
  }
  return Treatment::Ruled(std::make_shared<HalfRule>(), {0, 1});
}

// What cuts off above is left with its relevance.
bool HasTop(const NodeView& node) {
  return !node.IsOneOf(
      {"aten::relu", "aten::relu_", "aten::clamp_min", "aten::clamp_min_"});
}

}  // namespace

Treatment TreatByLrp(const BackwardRule& rule, const NodeView& node,
                     const ActivationFlow& flow, bool takes_image,
                     const PixelRange& pixels) {
  switch (FamilyOf(node)) {
    case OperatorFamily::kNone:
    case OperatorFamily::kMoves:
    case OperatorFamily::kMaxPool:
    case OperatorFamily::kAverages:
    case OperatorFamily::kBatchNorm:
    case OperatorFamily::kAdds:
    case OperatorFamily::kScales:
    case OperatorFamily::kSoftmax:  // its derivative is AttnLRP's rule
      return Treatment::Plain();
    case OperatorFamily::kRelu:
      return HasTop(node)
                 ? Treatment::Ruled(std::make_shared<IdentityRule>(), {0})
                 : Treatment::Plain();
    case OperatorFamily::kActivation:
      return Treatment::Ruled(std::make_shared<IdentityRule>(), {0});
    case OperatorFamily::kWeighted:
      return TreatWeighted(rule, node, takes_image, pixels);
    case OperatorFamily::kLayerNorm:
      return Treatment::Ruled(std::make_shared<LayerNormRule>(), {0});
    case OperatorFamily::kMultiplies:
      return TreatProduct(node, flow);
    case OperatorFamily::kMatrixProduct:
      return Treatment::Ruled(std::make_shared<HalfRule>(), {0, 1});
    case OperatorFamily::kGate:
      // No relevance comes to it.
      if (IsGateAlone(node, flow)) return Treatment::Plain();
      break;
    case OperatorFamily::kOther:
      break;
  }
  return Treatment::Refused("which it has no rule for");
}

}  // namespace saliency
