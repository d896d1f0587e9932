// What a caller can ask for at a layer: a named method, or a pair of extract
// and aggregate.  Both are used alike from here on.
// Value type; thread-compatible.

#ifndef SALIENCY_CORE_ATTRIBUTION_ATTRIBUTION_H_
#define SALIENCY_CORE_ATTRIBUTION_ATTRIBUTION_H_

#include <string>
#include <utility>
#include <variant>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/attribution/extract_aggregate.h"
#include "core/attribution/method.h"

namespace saliency {

class Attribution {
 public:
  // Errors: INVALID_ARGUMENT for an unknown name, listing the known ones.
  static absl::StatusOr<Attribution> Named(absl::string_view method);
  static Attribution Pair(Extract extract, Aggregate aggregate);

  // The method's name, or "conv1x1+norm" for a pair.
  std::string name() const;
  MethodInputs method_inputs() const;
  // Whether raw maps may be negative.
  bool is_signed() const;
  // Returns [B,H,W] float32 on the context's device.
  // REQUIRES: the context holds what method_inputs() names.
  at::Tensor Attribute(const MethodContext& context) const;

  // Whether both make the same map of the same record.
  friend bool operator==(const Attribution&, const Attribution&) = default;

 private:
  using Grid = std::pair<Extract, Aggregate>;
  explicit Attribution(std::variant<const Method*, Grid> what) : what_(what) {}

  std::variant<const Method*, Grid> what_;
};

}  // namespace saliency

#endif  // SALIENCY_CORE_ATTRIBUTION_ATTRIBUTION_H_
