#include "core/attribution/registry.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/attribution/methods_not_offered.h"
#include "core/attribution/sampling.h"
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

bool GoesBy(const Method& method, const std::string& folded) {
  if (FoldedName(method.name) == folded) return true;
  const std::vector<std::string> aliases = AliasesOf(method);
  return std::find(aliases.begin(), aliases.end(), folded) != aliases.end();
}

// "known, nearest first: grad_cam, cam, ...".
std::string KnownMethodNames(absl::string_view wanted) {
  std::vector<std::string> names;
  for (const Method* method : kMethods) names.emplace_back(method->name);
  for (const SamplingMethod& method : AllSamplingMethods()) {
    names.emplace_back(method.name);
  }
  std::sort(names.begin(), names.end());
  if (wanted.empty())
    return absl::StrCat("known: ", absl::StrJoin(names, ", "));
  const auto all = static_cast<int>(names.size());
  return absl::StrCat("known, nearest first: ",
                      absl::StrJoin(NearNames(wanted, names, all), ", "));
}

}  // namespace

absl::Span<const Method* const> AllMethods() { return kMethods; }

std::vector<std::string> AliasesOf(const Method& method) {
  return absl::StrSplit(method.aliases, ' ', absl::SkipEmpty());
}

absl::StatusOr<const Method*> FindMethod(absl::string_view name) {
  // Longer than any name; bounds the work.
  const std::string folded = FoldedName(name.substr(0, 128));
  const auto* const found = std::find_if(
      std::begin(kMethods), std::end(kMethods),
      [&](const Method* method) { return GoesBy(*method, folded); });
  if (found != std::end(kMethods)) return *found;
  const absl::string_view why = WhyNotOffered(folded);
  return absl::InvalidArgumentError(absl::StrCat(
      "method \"", Printable(name), "\" is unknown", why.empty() ? "" : ": ",
      why, "; ", KnownMethodNames(why.empty() ? name : absl::string_view())));
}

}  // namespace saliency
