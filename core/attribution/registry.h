// The table of all named methods, sorted by name.  CMake writes it from the
// files in methods/, so that adding a method is adding a file.
// Thread-safe: the table is constant.

#ifndef SALIENCY_CORE_ATTRIBUTION_REGISTRY_H_
#define SALIENCY_CORE_ATTRIBUTION_REGISTRY_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/attribution/method.h"

namespace saliency {

absl::Span<const Method* const> AllMethods();

// The returned method lives for ever.
// Errors: INVALID_ARGUMENT for an unknown name, listing the known ones.
absl::StatusOr<const Method*> FindMethod(absl::string_view name);

}  // namespace saliency

#endif  // SALIENCY_CORE_ATTRIBUTION_REGISTRY_H_
