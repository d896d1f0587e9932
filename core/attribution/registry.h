// The table of all named methods, sorted by name.  CMake writes it from the
// files in methods/, so that adding a method is adding a file.
// Thread-safe: the table is constant.

#ifndef SALIENCY_CORE_ATTRIBUTION_REGISTRY_H_
#define SALIENCY_CORE_ATTRIBUTION_REGISTRY_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/attribution/method.h"

namespace saliency {

absl::Span<const Method* const> AllMethods();

// The other names of a method.
std::vector<std::string> AliasesOf(const Method& method);

// By its name or one of its aliases, whose case and punctuation do not count:
// "Grad-CAM" and "gradcam" are grad_cam.  The returned method lives for ever.
// Errors: INVALID_ARGUMENT for an unknown name, listing the known ones, nearest
//   first, and what stands nearest where the field's name has no counterpart.
absl::StatusOr<const Method*> FindMethod(absl::string_view name);

}  // namespace saliency

#endif  // SALIENCY_CORE_ATTRIBUTION_REGISTRY_H_
