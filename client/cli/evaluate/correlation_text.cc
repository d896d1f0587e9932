#include "client/cli/evaluate/correlation_text.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace saliency {

std::string CorrelationCell(const std::optional<CorrelationSummary>& summary) {
  if (!summary.has_value()) return "-";
  std::string text = summary->count == 0
                         ? "-"
                         : absl::StrFormat("%.3f +- %.3f", summary->mean,
                                           summary->standard_deviation);
  if (summary->undefined > 0) {
    absl::StrAppend(&text, " (", summary->undefined, " undefined)");
  }
  return text;
}

}  // namespace saliency
