// What a caller can ask for at a layer: a named method, a pair of extract and
// aggregate, either of them over variations of the input, or the score alone
// with parts of it hidden.  All are used alike from here on. Value type;
// thread-compatible.

#ifndef SALIENCY_CORE_ATTRIBUTION_ATTRIBUTION_H_
#define SALIENCY_CORE_ATTRIBUTION_ATTRIBUTION_H_

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/attribution/backward_rule.h"
#include "core/attribution/extract_aggregate.h"
#include "core/attribution/method.h"
#include "core/attribution/sampling.h"

namespace saliency {

class Attribution {
 public:
  // A method that samples has the defaults of its parameters.
  // Errors: INVALID_ARGUMENT for an unknown name, listing the known ones.
  static absl::StatusOr<Attribution> Named(absl::string_view method);
  static Attribution Pair(Extract extract, Aggregate aggregate);
  // A method with a backward rule of its own, by other parameters than its
  // defaults.
  // Errors: INVALID_ARGUMENT as Named; the rule is of another kind than the
  //   method's, or has a parameter out of its range, with its name and limits.
  static absl::StatusOr<Attribution> WithRule(absl::string_view method,
                                              const BackwardRule& rule);
  // Maps of `inner`, over noisy copies of the input.
  // Errors: INVALID_ARGUMENT as CheckSampling; `inner` samples already, or has
  //   an input_factor().
  static absl::StatusOr<Attribution> Smoothed(const SmoothGrad& smooth,
                                              const Attribution& inner);
  // Errors: INVALID_ARGUMENT as CheckSampling.
  static absl::StatusOr<Attribution> Integrated(
      const IntegratedGradients& method);
  // Of a method that hides parts of the input: Occlusion, Rise, Lime,
  // KernelShap or ScoreCam. Errors: INVALID_ARGUMENT as CheckSampling.
  static absl::StatusOr<Attribution> Perturbed(const Sampling& method);

  // What Score-CAM's masks are made of: [B,K,H,W], of each image once.
  static Attribution ScoreCamActivation();
  bool is_of_image() const;

  // The method's name, "conv1x1+norm" for a pair, "smooth_grad(norm_grad)" for
  // what averages another method than gradient, its default.
  std::string name() const;
  // Set for what needs many variations of the input; Attribute makes the map of
  // one of them.
  const std::optional<Sampling>& sampling() const { return sampling_; }
  MethodInputs method_inputs() const;
  // What the gradients that it needs are by.
  const BackwardRule& rule() const { return rule_; }
  // What its map is multiplied by, at layer "input" and of that size; none for
  // most.
  std::optional<Attribution> input_factor() const;
  // Whether raw maps may be negative.
  bool is_signed() const;
  // Returns [B,H,W] float32 on the context's device.
  // REQUIRES: the context holds what method_inputs() names.
  at::Tensor Attribute(const MethodContext& context) const;

  // Whether both make the same map of the same record.
  friend bool operator==(const Attribution&, const Attribution&) = default;

 private:
  using Grid = std::pair<Extract, Aggregate>;
  static absl::StatusOr<Attribution> WithDefaults(const SamplingMethod& method);
  std::string InnerName() const;
  explicit Attribution(std::variant<const Method*, Grid> what,
                       const BackwardRule& rule = {})
      : what_(what), rule_(rule) {}

  std::variant<const Method*, Grid> what_;
  BackwardRule rule_;
  std::optional<Sampling> sampling_;
};

}  // namespace saliency

#endif  // SALIENCY_CORE_ATTRIBUTION_ATTRIBUTION_H_
