#include "core/base/near_names.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/utf8.h"

namespace saliency {
namespace {

constexpr size_t kMaxCompared = 80;  // characters of each: bounds the cost

// Levenshtein distance in one row of memory.
int EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<int> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 1; i <= a.size(); ++i) {
    int diagonal = row[0];
    row[0] = static_cast<int>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const int substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row[b.size()];
}

}  // namespace

std::vector<std::string> NearNames(absl::string_view wanted,
                                   absl::Span<const std::string> known,
                                   int count) {
  wanted = wanted.substr(0, kMaxCompared);
  std::vector<std::pair<int, int>> ranked;  // distance, index
  ranked.reserve(known.size());
  for (size_t i = 0; i < known.size(); ++i) {
    ranked.emplace_back(EditDistance(wanted, absl::string_view(known[i]).substr(
                                                 0, kMaxCompared)),
                        static_cast<int>(i));
  }
  std::sort(ranked.begin(), ranked.end());
  std::vector<std::string> names;
  for (const auto& [distance, index] : ranked) {
    if (static_cast<int>(names.size()) >= count) break;
    // Equal names are equally far: they come one after the other.
    if (names.empty() || names.back() != known[index]) {
      names.push_back(known[index]);
    }
  }
  return names;
}

std::string FoldedName(absl::string_view name) {
  std::string folded;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(byte) || c == '+') {
      folded.push_back(absl::ascii_tolower(byte));
    }
  }
  return folded;
}

std::string Printable(absl::string_view text, int max_chars) {
  std::string shown;
  size_t at = 0;
  for (int i = 0; i < max_chars && at < text.size(); ++i) {
    const Utf8Character character = Utf8At(text, at);
    const absl::string_view bytes =
        text.substr(at, std::max<size_t>(character.length, 1));
    const bool as_it_is = character.code >= 0x80 && IsShown(character.code);
    absl::StrAppend(&shown, as_it_is ? bytes : absl::CEscape(bytes));
    at += bytes.size();
  }
  if (at < text.size()) shown += "...";
  return shown;
}

std::string NotFoundMessage(absl::string_view noun, absl::string_view wanted,
                            absl::Span<const std::string> known) {
  std::string message =
      absl::StrCat(noun, " \"", Printable(wanted), "\" not found");
  const std::vector<std::string> near = NearNames(wanted, known);
  if (!near.empty()) {
    absl::StrAppend(
        &message, "; nearest: ",
        absl::StrJoin(near, ", ",
                      [](std::string* out, const std::string& name) {
                        absl::StrAppend(out, "\"", Printable(name), "\"");
                      }));
  }
  return message;
}

}  // namespace saliency
