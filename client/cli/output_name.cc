#include "client/cli/output_name.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "core/base/utf8.h"

namespace saliency {
namespace {

constexpr size_t kMaxPart = 80;  // bytes

// Letters of any script; of ASCII what no file system and no shell takes for
// something else.
bool IsPlain(const Utf8Character& character) {
  if (character.length == 0) return false;
  const bool is_space =
      character.code == 0xA0 || character.code == 0x3000 ||
      (character.code >= 0x2000 && character.code <= 0x200D) ||
      character.code == 0x202F || character.code == 0x205F ||
      character.code == 0x1680;
  if (character.code >= 0x80) return IsShown(character.code) && !is_space;
  const char c = static_cast<char>(character.code);
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
         absl::string_view("._+#-").find(c) != absl::string_view::npos;
}

}  // namespace

std::string SanitisedName(absl::string_view text) {
  std::string name;
  for (size_t at = 0; at < text.size();) {
    const Utf8Character character = Utf8At(text, at);
    const size_t length = std::max<size_t>(character.length, 1);
    if (name.size() + length > kMaxPart) break;
    if (IsPlain(character)) {
      absl::StrAppend(&name, text.substr(at, length));
    } else if (name.empty() || name.back() != '_') {
      name += '_';
    }
    at += length;
  }
  if (name.empty()) return "_";
  // Hidden files, and what a program would take for a flag.
  if (name.front() == '.' || name.front() == '-') name.front() = '_';
  return name;
}

std::string OutputName(absl::string_view image_stem,
                       const v1::SaliencyMap& map) {
  const v1::ClassScore& explained = map.explained_class();
  std::string class_name = absl::StrCat(explained.class_index());
  if (!explained.label().empty()) {
    absl::StrAppend(&class_name, "-", explained.label());
  }
  if (!map.others().empty()) absl::StrAppend(&class_name, " ", map.others());
  return absl::StrCat(SanitisedName(image_stem), "_", SanitisedName(class_name),
                      "_", SanitisedName(map.method()), "_",
                      SanitisedName(map.layer()));
}

std::string UniqueNames::Take(const std::string& name) {
  if (taken_.insert(name).second) return name;
  for (int count = 2;; ++count) {
    std::string numbered = absl::StrCat(name, "-", count);
    if (taken_.insert(numbered).second) return numbered;
  }
}

}  // namespace saliency
