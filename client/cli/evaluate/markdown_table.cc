#include "client/cli/evaluate/markdown_table.h"

#include "absl/strings/str_cat.h"

namespace saliency {

std::string MarkdownTable(const std::string& corner,
                          const std::vector<std::string>& rows,
                          const std::vector<std::string>& columns,
                          absl::FunctionRef<std::string(size_t, size_t)> cell) {
  std::string table = absl::StrCat("| ", corner, " |");
  std::string rule = "|---|";
  for (const std::string& column : columns) {
    absl::StrAppend(&table, " ", column, " |");
    absl::StrAppend(&rule, "---:|");
  }
  absl::StrAppend(&table, "\n", rule, "\n");
  for (size_t row = 0; row < rows.size(); ++row) {
    absl::StrAppend(&table, "| ", rows[row], " |");
    for (size_t column = 0; column < columns.size(); ++column) {
      absl::StrAppend(&table, " ", cell(row, column), " |");
    }
    table += '\n';
  }
  return table;
}

}  // namespace saliency
