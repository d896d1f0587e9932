#include "client/cli/evaluate/csv.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

namespace saliency {
namespace {

std::string Field(const std::string& text) {
  const std::string line =
      absl::StrReplaceAll(text, {{"\r\n", " "}, {"\n", " "}, {"\r", " "}});
  if (line.find_first_of(",\"") == std::string::npos) return line;
  return absl::StrCat("\"", absl::StrReplaceAll(line, {{"\"", "\"\""}}), "\"");
}

// Takes a quoted field off the front of `rest`, its first quote included.
absl::StatusOr<std::string> TakeQuoted(absl::string_view& rest) {
  std::string field;
  rest.remove_prefix(1);
  while (true) {
    const size_t quote = rest.find('"');
    if (quote == absl::string_view::npos) {
      return absl::InvalidArgumentError("a quote is not closed");
    }
    field.append(rest.data(), quote);
    rest.remove_prefix(quote + 1);
    if (rest.empty() || rest.front() == ',') return field;
    if (rest.front() != '"') {
      return absl::InvalidArgumentError("text follows a closing quote");
    }
    field += '"';
    rest.remove_prefix(1);
  }
}

}  // namespace

std::string CsvRow(absl::Span<const std::string> fields) {
  return absl::StrJoin(fields, ",",
                       [](std::string* out, const std::string& field) {
                         out->append(Field(field));
                       });
}

absl::StatusOr<std::vector<std::string>> ParseCsvRow(absl::string_view row) {
  std::vector<std::string> fields;
  while (true) {
    if (!row.empty() && row.front() == '"') {
      absl::StatusOr<std::string> field = TakeQuoted(row);
      if (!field.ok()) return field.status();
      fields.push_back(*std::move(field));
    } else {
      const size_t end = std::min(row.find(','), row.size());
      fields.emplace_back(row.substr(0, end));
      row.remove_prefix(end);
    }
    if (row.empty()) return fields;
    row.remove_prefix(1);  // the comma
    if (row.empty()) {
      fields.emplace_back();
      return fields;
    }
  }
}

}  // namespace saliency
