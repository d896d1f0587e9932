#include "server/convert/field_path.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace saliency {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

// The number of characters at the front of `text` that `is_one` holds for.
template <typename IsOne>
std::size_t LengthOf(absl::string_view text, IsOne is_one) {
  return std::find_if_not(text.begin(), text.end(), is_one) - text.begin();
}

bool IsOfFieldName(char c) {
  return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '_';
}

// "[12]" or "" at the front of `text`.
absl::string_view IndexAt(absl::string_view text) {
  if (!absl::StartsWith(text, "[")) return "";
  const std::size_t digits = LengthOf(text.substr(1), absl::ascii_isdigit);
  const bool closed = text.substr(1 + digits, 1) == "]";
  return closed && digits > 0 ? text.substr(0, digits + 2) : "";
}

// A field's name, an index or none, and what comes behind.
struct PathStep {
  const FieldDescriptor* field = nullptr;  // null: it is no field of the type
  absl::string_view name;                  // with the index
  absl::string_view rest;

  // Whether the text may go on with a field of this one.
  const Descriptor* inner() const {
    const bool one_message = !field->is_repeated() || absl::EndsWith(name, "]");
    return one_message ? field->message_type() : nullptr;
  }
};

PathStep PathStepAt(absl::string_view text, const Descriptor* type) {
  if (type == nullptr) return {};
  const std::size_t length = LengthOf(text, IsOfFieldName);
  const FieldDescriptor* field =
      type->FindFieldByName(std::string(text.substr(0, length)));
  if (field == nullptr) return {};
  const absl::string_view index = IndexAt(text.substr(length));
  return {.field = field,
          .name = text.substr(0, length + index.size()),
          .rest = text.substr(length + index.size())};
}

// Behind "targets[2]: " a word may be a field or an ordinary word: a field has
// a colon, or quotes its value.
bool IsMarked(const PathStep& step) {
  return absl::StartsWith(step.rest, ":") || absl::StartsWith(step.rest, ".") ||
         absl::StartsWith(step.rest, " \"") || absl::EndsWith(step.name, "]");
}

}  // namespace

FieldMessage SplitField(absl::string_view text, const Descriptor& type) {
  PathStep step = PathStepAt(text, &type);
  if (step.field == nullptr) return {.description = std::string(text)};
  std::string path(step.name);
  while (true) {
    absl::string_view rest = step.rest;
    const bool dotted = absl::ConsumePrefix(&rest, ".");
    if (!dotted && !absl::ConsumePrefix(&rest, ": ")) break;
    const PathStep next = PathStepAt(rest, step.inner());
    if (next.field == nullptr || (!dotted && !IsMarked(next))) break;
    absl::StrAppend(&path, ".", next.name);
    step = next;
  }
  const bool ends_here = step.rest.empty() ||
                         absl::StartsWith(step.rest, ":") ||
                         absl::StartsWith(step.rest, " ");
  // "input.tensor x targets: ..." is about a product.
  if (!ends_here || absl::StartsWith(step.rest, " x ")) {
    return {.description = std::string(text)};
  }
  absl::string_view rest = step.rest;
  absl::ConsumePrefix(&rest, ":");
  return {.path = path,
          .description = std::string(absl::StripLeadingAsciiWhitespace(rest))};
}

}  // namespace saliency
