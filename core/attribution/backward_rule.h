// How a method changes what goes back through a network: the rule that stands
// for the derivative of each operator that it concerns.  What is recorded at a
// layer, the gradient under the plain rule, is then the rule's own signal.
// Value type; thread-compatible.

#ifndef SALIENCY_CORE_ATTRIBUTION_BACKWARD_RULE_H_
#define SALIENCY_CORE_ATTRIBUTION_BACKWARD_RULE_H_

#include <compare>

namespace saliency {

// Rules are compared by value: rows under equal ones share passes.
struct BackwardRule {
  enum class Kind {
    kGradient,        // the derivative: no rule of its own
    kDeconvnet,       // at a ReLU p becomes (p)+
    kGuidedBackprop,  // at a ReLU p becomes (p)+ where its input is >= 0
    // Excitation backprop: probabilities go back by positive weights.
    kExcitation,
    // The same less that of the class's complement: the last linear layer's
    // weights negated.
    kContrastiveExcitation,
    // Layer-wise relevance propagation.  The signal is R / x, so that the
    // relevance of an activation x is x times its signal.
    kLrpEpsilon,    // R_i = sum_j x_i w_ij / (z_j + epsilon sign z_j) R_j
    kLrpGamma,      // what speaks for z_j counts 1 + gamma times
    kLrpAlphaBeta,  // alpha times what speaks for z_j, beta times against
    kLrpComposite,  // z^B at pixels, gamma in convolutions, epsilon in linear
                    // layers
    // DeepLIFT, rescale rule: the signal is the multiplier between an
    // activation's and the score's difference from a reference input.
    kDeepLift,
  };
  Kind kind = Kind::kGradient;
  // kDeconvnet, kGuidedBackprop: activations that the rule says nothing of keep
  // their derivative; else a network that has one is refused.
  bool allow_unsupported_activations = false;
  // kExcitation, kContrastiveExcitation: the branches of a sum share the signal
  // in proportion to their values; else each gets all of it.
  bool split_sums = true;
  double epsilon = 1e-6;  // kLrpEpsilon, kLrpComposite; >= 0
  double gamma = 0.25;    // kLrpGamma, kLrpComposite; >= 0
  double alpha = 1;       // kLrpAlphaBeta; alpha - beta = 1
  double beta = 0;        // kLrpAlphaBeta; >= 0
  // kDeepLift: what activations differ from.
  enum class Reference {
    kBlack,  // 0 before preprocessing
    kMean,   // 0 after it: the mean that is subtracted
  };
  Reference reference = Reference::kBlack;
  // kDeepLift: max pools keep their derivative, and differences are not
  // conserved there; else the largest of both inputs have them.
  bool plain_max_pools = false;

  bool is_gradient() const { return kind == Kind::kGradient; }
  bool is_excitation() const {
    return kind == Kind::kExcitation || kind == Kind::kContrastiveExcitation;
  }
  // Whether the signal times the activation is what a map is of.
  bool is_lrp() const {
    return kind == Kind::kLrpEpsilon || kind == Kind::kLrpGamma ||
           kind == Kind::kLrpAlphaBeta || kind == Kind::kLrpComposite;
  }
  // Whether activations are told from those of a reference input.
  bool has_reference() const { return kind == Kind::kDeepLift; }

  friend auto operator<=>(const BackwardRule&, const BackwardRule&) = default;
};

}  // namespace saliency

#endif  // SALIENCY_CORE_ATTRIBUTION_BACKWARD_RULE_H_
