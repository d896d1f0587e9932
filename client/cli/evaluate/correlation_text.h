// Correlations as people read them.
// Pure function; safe from any thread.

#ifndef SALIENCY_CLIENT_CLI_EVALUATE_CORRELATION_TEXT_H_
#define SALIENCY_CLIENT_CLI_EVALUATE_CORRELATION_TEXT_H_

#include <optional>
#include <string>

#include "core/base/correlation_summary.h"

namespace saliency {

// "0.953 +- 0.021 (2 undefined)"; "-" where there is none.
std::string CorrelationCell(const std::optional<CorrelationSummary>& summary);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_EVALUATE_CORRELATION_TEXT_H_
