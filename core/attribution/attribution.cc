#include "core/attribution/attribution.h"

#include "absl/strings/str_cat.h"
#include "core/attribution/registry.h"
#include "core/base/status.h"

namespace saliency {

absl::StatusOr<Attribution> Attribution::Named(absl::string_view method) {
  ASSIGN_OR_RETURN(const Method* found, FindMethod(method));
  return Attribution(found);
}

Attribution Attribution::Pair(Extract extract, Aggregate aggregate) {
  return Attribution(Grid(extract, aggregate));
}

std::string Attribution::name() const {
  if (const auto* method = std::get_if<const Method*>(&what_)) {
    return (*method)->name;
  }
  const auto& [extract, aggregate] = std::get<Grid>(what_);
  return absl::StrCat(ExtractName(extract), "+", AggregateName(aggregate));
}

MethodInputs Attribution::method_inputs() const {
  const auto* method = std::get_if<const Method*>(&what_);
  return method ? (*method)->method_inputs
                : MethodInputs::kActivationAndGradient;
}

bool Attribution::is_signed() const {
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
