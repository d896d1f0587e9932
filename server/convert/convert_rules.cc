#include "server/convert/convert_rules.h"

#include <string>

#include "core/base/status.h"
#include "server/convert/convert_parts.h"

namespace saliency {
namespace {

using Kind = BackwardRule::Kind;

struct RuledMethod {
  std::string name;  // that of its field too
  BackwardRule rule;
};

absl::StatusOr<bool> SplitsFromProto(v1::SumRule rule) {
  switch (rule) {
    case v1::SUM_RULE_UNSPECIFIED:
    case v1::SUM_RULE_SHARE:
      return true;
    case v1::SUM_RULE_COPY:
      return false;
    default:
      return UnknownValue("sums", rule);
  }
}

absl::StatusOr<BackwardRule::Reference> ReferenceFromProto(
    v1::Baseline baseline) {
  switch (baseline) {
    case v1::BASELINE_UNSPECIFIED:
    case v1::BASELINE_BLACK:
      return BackwardRule::Reference::kBlack;
    case v1::BASELINE_MEAN:
      return BackwardRule::Reference::kMean;
    case v1::BASELINE_BLURRED:
      return Invalid("baseline: BLURRED is not offered; BLACK and MEAN are");
    default:
      return UnknownValue("baseline", baseline);
  }
}

template <typename Message>
BackwardRule ReluRuleOf(Kind kind, const Message& proto) {
  return {
      .kind = kind,
      .allow_unsupported_activations = proto.allow_unsupported_activations()};
}

template <typename Message>
BackwardRule ExcitationOf(Kind kind, const Message& proto, Violations& found) {
  return {.kind = kind,
          .split_sums = found.Take(SplitsFromProto(proto.sums()))};
}

BackwardRule AlphaBetaOf(const v1::LrpAlphaBeta& proto) {
  return {.kind = Kind::kLrpAlphaBeta,
          .alpha = 1 + proto.beta(),
          .beta = proto.beta()};
}

BackwardRule CompositeOf(const v1::LrpComposite& proto) {
  BackwardRule rule = {.kind = Kind::kLrpComposite};
  if (proto.has_epsilon()) rule.epsilon = proto.epsilon();
  if (proto.has_gamma()) rule.gamma = proto.gamma();
  return rule;
}

std::optional<RuledMethod> MethodOf(const v1::Attribution& proto,
                                    Violations& found) {
  switch (proto.kind_case()) {
    case v1::Attribution::kDeconvnet:
      return RuledMethod{"deconvnet",
                         ReluRuleOf(Kind::kDeconvnet, proto.deconvnet())};
    case v1::Attribution::kGuidedBackprop:
      return RuledMethod{
          "guided_backprop",
          ReluRuleOf(Kind::kGuidedBackprop, proto.guided_backprop())};
    case v1::Attribution::kExcitationBackprop:
      return RuledMethod{
          "excitation_backprop",
          ExcitationOf(Kind::kExcitation, proto.excitation_backprop(), found)};
    case v1::Attribution::kContrastiveExcitationBackprop:
      return RuledMethod{
          "contrastive_excitation_backprop",
          ExcitationOf(Kind::kContrastiveExcitation,
                       proto.contrastive_excitation_backprop(), found)};
    case v1::Attribution::kLrpEpsilon: {
      BackwardRule rule = {.kind = Kind::kLrpEpsilon};
      const v1::LrpEpsilon& of = proto.lrp_epsilon();
      if (of.has_epsilon()) rule.epsilon = of.epsilon();
      return RuledMethod{"lrp_epsilon", rule};
    }
    case v1::Attribution::kLrpGamma: {
      BackwardRule rule = {.kind = Kind::kLrpGamma};
      if (proto.lrp_gamma().has_gamma()) rule.gamma = proto.lrp_gamma().gamma();
      return RuledMethod{"lrp_gamma", rule};
    }
    case v1::Attribution::kLrpAlphaBeta:
      return RuledMethod{"lrp_alpha_beta", AlphaBetaOf(proto.lrp_alpha_beta())};
    case v1::Attribution::kLrpComposite:
      return RuledMethod{"lrp_composite", CompositeOf(proto.lrp_composite())};
    case v1::Attribution::kDeepLift: {
      const v1::DeepLift& of = proto.deep_lift();
      return RuledMethod{
          "deep_lift",
          {.kind = Kind::kDeepLift,
           .reference = found.Take(ReferenceFromProto(of.baseline())),
           .plain_max_pools = of.plain_max_pools()}};
    }
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<Attribution> RuledFromProto(const v1::Attribution& attribution,
                                          Violations& found) {
  Violations of_this;
  const std::optional<RuledMethod> method = MethodOf(attribution, of_this);
  if (!method) return std::nullopt;
  Attribution made =
      of_this.Take(Attribution::WithRule(method->name, method->rule),
                   Attribution::Named(method->name).value());
  found.Add(method->name, of_this);
  return made;
}

}  // namespace saliency
