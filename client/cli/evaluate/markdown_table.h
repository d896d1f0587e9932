// Tables of reports, for people and what renders Markdown.
// Pure function; safe from any thread.

#ifndef SALIENCY_CLIENT_CLI_EVALUATE_MARKDOWN_TABLE_H_
#define SALIENCY_CLIENT_CLI_EVALUATE_MARKDOWN_TABLE_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"

namespace saliency {

// `rows` down, under the heading `corner`, and `columns` across, set flush
// right.  `cell(row, column)` gives the text where those two cross, both
// counted from 0.  Ends with a line break.
std::string MarkdownTable(const std::string& corner,
                          const std::vector<std::string>& rows,
                          const std::vector<std::string>& columns,
                          absl::FunctionRef<std::string(size_t, size_t)> cell);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_EVALUATE_MARKDOWN_TABLE_H_
