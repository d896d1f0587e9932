#include "core/attribution/registry.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/near_names.h"

namespace saliency {

namespace methods {
#define METHOD(name) extern const Method name;
#include "methods.inc"
#undef METHOD
}  // namespace methods

namespace {

constexpr const Method* kMethods[] = {
#define METHOD(name) &methods::name,
#include "methods.inc"
#undef METHOD
};

}  // namespace

absl::Span<const Method* const> AllMethods() { return kMethods; }

absl::StatusOr<const Method*> FindMethod(absl::string_view name) {
  const auto* const found =
      std::find_if(std::begin(kMethods), std::end(kMethods),
                   [&](const Method* method) { return method->name == name; });
  if (found != std::end(kMethods)) return *found;
  return absl::InvalidArgumentError(absl::StrCat(
      "method \"", Printable(name), "\" is unknown; known: ",
      absl::StrJoin(kMethods, ", ", [](std::string* out, const Method* method) {
        absl::StrAppend(out, method->name);
      })));
}

}  // namespace saliency
