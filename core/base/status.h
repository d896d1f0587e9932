// Status plumbing: the two propagation macros and the one place where foreign
// exceptions of libraries other than LibTorch become a Status.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_BASE_STATUS_H_
#define SALIENCY_CORE_BASE_STATUS_H_

#include <functional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#define SALIENCY_CONCAT_INNER(a, b) a##b
#define SALIENCY_CONCAT(a, b) SALIENCY_CONCAT_INNER(a, b)

// Returns from the enclosing function when `expr` is not OK.
#define RETURN_IF_ERROR(expr)                                       \
  do {                                                              \
    if (absl::Status status_of_expr = (expr); !status_of_expr.ok()) \
      return status_of_expr;                                        \
  } while (false)

// ASSIGN_OR_RETURN(auto x, F()): declares or assigns x from a StatusOr, or
// returns its status.
#define ASSIGN_OR_RETURN(lhs, expr) \
  ASSIGN_OR_RETURN_INNER(SALIENCY_CONCAT(status_or_, __LINE__), lhs, expr)
#define ASSIGN_OR_RETURN_INNER(holder, lhs, expr)      \
  auto holder = (expr);                                \
  if (!holder.ok()) return std::move(holder).status(); \
  lhs = *std::move(holder)

namespace saliency {

// Runs `work`; an exception becomes INTERNAL with the fixed text `what`, which
// names the step and never the library's own message (that message goes to
// `log_detail` when given, for the log alone).
absl::Status CatchAsStatus(
    absl::string_view what, const std::function<absl::Status()>& work,
    const std::function<void(absl::string_view)>& log_detail = nullptr);

// INVALID_ARGUMENT with the parts as absl::StrCat joins them.
template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

// Prefixes the message of a failed status with `field: `; OK stays OK.
absl::Status Annotate(const absl::Status& status, absl::string_view field);

}  // namespace saliency

#endif  // SALIENCY_CORE_BASE_STATUS_H_
