#include "core/attribution/attribution.h"

#include "absl/strings/str_cat.h"
#include "core/attribution/perturbation.h"
#include "core/attribution/registry.h"
#include "core/attribution/score_cam.h"
#include "core/base/status.h"

namespace saliency {

namespace {

// `name` in [0, limit].
absl::Status CheckParameter(absl::string_view name, double value,
                            double limit) {
  if (value >= 0 && value <= limit) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(name, ": ", value, " not in [0, ", limit, "]"));
}

absl::Status CheckParameters(const BackwardRule& rule) {
  RETURN_IF_ERROR(CheckParameter("epsilon", rule.epsilon, 1));
  RETURN_IF_ERROR(CheckParameter("gamma", rule.gamma, 100));
  return CheckParameter("beta", rule.beta, 10);
}

}  // namespace

absl::StatusOr<Attribution> Attribution::Named(absl::string_view method) {
  if (const SamplingMethod* sampling = FindSamplingMethod(method)) {
    return WithDefaults(*sampling);
  }
  ASSIGN_OR_RETURN(const Method* found, FindMethod(method));
  return Attribution(found, found->rule);
}

absl::StatusOr<Attribution> Attribution::WithRule(absl::string_view method,
                                                  const BackwardRule& rule) {
  ASSIGN_OR_RETURN(Attribution attribution, Named(method));
  if (attribution.rule_.kind != rule.kind) {
    return absl::InvalidArgumentError(absl::StrCat(
        "method \"", attribution.name(), "\" has another backward rule"));
  }
  RETURN_IF_ERROR(CheckParameters(rule));
  attribution.rule_ = rule;
  return attribution;
}

Attribution Attribution::Pair(Extract extract, Aggregate aggregate) {
  return Attribution(Grid(extract, aggregate));
}

absl::StatusOr<Attribution> Attribution::WithDefaults(
    const SamplingMethod& method) {
  if (const auto* smooth = std::get_if<SmoothGrad>(&method.defaults)) {
    ASSIGN_OR_RETURN(const Attribution gradient, Named("gradient"));
    return Smoothed(*smooth, gradient);
  }
  if (const auto* path = std::get_if<IntegratedGradients>(&method.defaults)) {
    return Integrated(*path);
  }
  return Perturbed(method.defaults);
}

absl::StatusOr<Attribution> Attribution::Smoothed(const SmoothGrad& smooth,
                                                  const Attribution& inner) {
  if (inner.sampling_.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat("method \"", inner.name(),
                     "\" samples the input itself and cannot be smoothed"));
  }
  if (inner.input_factor().has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat("method \"", inner.name(),
                     "\" is a product of two maps and cannot be smoothed"));
  }
  RETURN_IF_ERROR(CheckSampling(smooth));
  Attribution attribution = inner;
  attribution.sampling_ = smooth;
  return attribution;
}

absl::StatusOr<Attribution> Attribution::Integrated(
    const IntegratedGradients& method) {
  RETURN_IF_ERROR(CheckSampling(method));
  // The displacement stands for the activation.
  ASSIGN_OR_RETURN(Attribution attribution, Named("linear_approximation"));
  attribution.sampling_ = method;
  return attribution;
}

absl::StatusOr<Attribution> Attribution::Perturbed(const Sampling& method) {
  RETURN_IF_ERROR(CheckSampling(method));
  Attribution attribution(&kScoreOnRegion);
  attribution.sampling_ = method;
  return attribution;
}

Attribution Attribution::ScoreCamActivation() {
  return Attribution(&kScoreCamActivation);
}

bool Attribution::is_of_image() const { return *this == ScoreCamActivation(); }

std::string Attribution::InnerName() const {
  if (const auto* method = std::get_if<const Method*>(&what_)) {
    return (*method)->name;
  }
  const auto& [extract, aggregate] = std::get<Grid>(what_);
  return absl::StrCat(ExtractName(extract), "+", AggregateName(aggregate));
}

std::string Attribution::name() const {
  if (!sampling_.has_value()) return InnerName();
  const std::string name = SamplingName(*sampling_);
  const std::string inner = InnerName();
  const bool is_default =
      !std::holds_alternative<SmoothGrad>(*sampling_) || inner == "gradient";
  return is_default ? name : absl::StrCat(name, "(", inner, ")");
}

MethodInputs Attribution::method_inputs() const {
  if (sampling_.has_value() &&
      std::holds_alternative<IntegratedGradients>(*sampling_)) {
    return MethodInputs::kInputAndGradient;
  }
  if (sampling_.has_value() && std::holds_alternative<ScoreCam>(*sampling_)) {
    return MethodInputs::kChannelScores;
  }
  const auto* method = std::get_if<const Method*>(&what_);
  return method ? (*method)->method_inputs
                : MethodInputs::kActivationAndGradient;
}

std::optional<Attribution> Attribution::input_factor() const {
  const auto* method = std::get_if<const Method*>(&what_);
  if (method == nullptr || (*method)->input_factor == nullptr) {
    return std::nullopt;
  }
  const Method* factor = (*method)->input_factor;
  return Attribution(factor, factor->rule);
}

bool Attribution::is_signed() const {
  if (sampling_.has_value()) {
    const auto* smooth = std::get_if<SmoothGrad>(&*sampling_);
    if (smooth != nullptr && smooth->statistic != SampleStatistic::kMean) {
      return false;
    }
    if (std::holds_alternative<Rise>(*sampling_) ||
        std::holds_alternative<ScoreCam>(*sampling_)) {
      return false;
    }
  }
  if (const auto* method = std::get_if<const Method*>(&what_)) {
    return (*method)->is_signed;
  }
  const Aggregate aggregate = std::get<Grid>(what_).second;
  return aggregate == Aggregate::kSum || aggregate == Aggregate::kMax;
}

at::Tensor Attribution::Attribute(const MethodContext& context) const {
  if (const auto* method = std::get_if<const Method*>(&what_)) {
    return (*method)->attribute(context);
  }
  const auto& [extract, aggregate] = std::get<Grid>(what_);
  return ExtractAggregate(extract, aggregate, context.layer);
}

}  // namespace saliency
