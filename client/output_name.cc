#include "client/output_name.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace saliency {
namespace {

constexpr size_t kMaxPart = 80;

bool IsPlain(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
         absl::string_view("._+#-").find(c) != absl::string_view::npos;
}

}  // namespace

std::string SanitisedName(absl::string_view text) {
  std::string name;
  for (const char c : text) {
    if (name.size() == kMaxPart) break;
    if (IsPlain(c)) {
      name += c;
    } else if (name.empty() || name.back() != '_') {
      name += '_';
    }
  }
  if (name.empty()) return "_";
  // Hidden files, and what a program would take for a flag.
  if (name.front() == '.' || name.front() == '-') name.front() = '_';
  return name;
}

std::string OutputName(absl::string_view picture_stem,
                       const v1::SaliencyMap& map) {
  const v1::ClassScore& explained = map.explained_class();
  std::string class_name = absl::StrCat(explained.class_index());
  if (!explained.label().empty()) {
    absl::StrAppend(&class_name, "-", explained.label());
  }
  return absl::StrCat(
      SanitisedName(picture_stem), "_", SanitisedName(class_name), "_",
      SanitisedName(map.method()), "_", SanitisedName(map.layer()));
}

std::string UniqueNames::Take(const std::string& name) {
  if (taken_.insert(name).second) return name;
  for (int count = 2;; ++count) {
    std::string numbered = absl::StrCat(name, "-", count);
    if (taken_.insert(numbered).second) return numbered;
  }
}

}  // namespace saliency
