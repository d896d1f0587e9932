#include "client/cli/enum_text.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "core/base/near_names.h"

namespace saliency {
namespace {

// Every value of a type begins with the type's prefix, and the zero ends in
// UNSPECIFIED.
size_t PrefixLength(const google::protobuf::EnumDescriptor& type) {
  constexpr absl::string_view kZero = "UNSPECIFIED";
  return type.FindValueByNumber(0)->name().size() - kZero.size();
}

}  // namespace

std::string EnumText(const google::protobuf::EnumDescriptor& type, int value) {
  const google::protobuf::EnumValueDescriptor* found =
      type.FindValueByNumber(value);
  if (found == nullptr) return absl::StrCat(value);
  return absl::AsciiStrToLower(found->name().substr(PrefixLength(type)));
}

absl::StatusOr<int> ParseEnum(const google::protobuf::EnumDescriptor& type,
                              absl::string_view noun, absl::string_view text) {
  // Words of a flag are joined by hyphens as often as by underscores.
  const std::string wanted = absl::StrReplaceAll(text, {{"-", "_"}});
  std::vector<std::string> known;
  for (int i = 0; i < type.value_count(); ++i) {
    const int value = type.value(i)->number();
    if (value == 0) continue;
    known.push_back(EnumText(type, value));
    if (known.back() == wanted) return value;
  }
  return absl::InvalidArgumentError(absl::StrCat(noun, " \"", Printable(text),
                                                 "\" is not one of ",
                                                 absl::StrJoin(known, ", ")));
}

}  // namespace saliency
