#include "core/base/text_lines.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"

namespace saliency {

absl::StatusOr<absl::string_view> PlainText(absl::string_view text) {
  const bool has_wide_mark =
      absl::StartsWith(text, "\xFF\xFE") || absl::StartsWith(text, "\xFE\xFF");
  if (has_wide_mark || absl::StrContains(text, '\0')) {
    return absl::InvalidArgumentError(
        "is UTF-16, UTF-32 or no text: it must be saved as UTF-8");
  }
  absl::ConsumePrefix(&text, "\xEF\xBB\xBF");
  return text;
}

absl::StatusOr<std::vector<absl::string_view>> TextLines(
    absl::string_view text) {
  absl::StatusOr<absl::string_view> plain = PlainText(text);
  if (!plain.ok()) return plain.status();
  absl::string_view rest = *plain;
  std::vector<absl::string_view> lines;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find_first_of("\r\n"), rest.size());
    lines.push_back(rest.substr(0, end));
    rest.remove_prefix(end);
    if (!absl::ConsumePrefix(&rest, "\r\n")) {
      rest.remove_prefix(std::min<size_t>(rest.size(), 1));
    }
  }
  return lines;
}

}  // namespace saliency
