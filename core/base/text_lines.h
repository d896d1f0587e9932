// Text files of any origin: with or without a byte order mark, their lines
// ended by LF, CR LF or CR.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_BASE_TEXT_LINES_H_
#define SALIENCY_CORE_BASE_TEXT_LINES_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace saliency {

// `text` without the byte order mark of UTF-8; a part of it.
// Errors: INVALID_ARGUMENT it is UTF-16 or UTF-32, by its mark or its zeros.
absl::StatusOr<absl::string_view> PlainText(absl::string_view text);

// The lines of PlainText, parts of `text`, without their ends.  What follows
// the last line's end is no line when it is empty.  Errors: as PlainText.
absl::StatusOr<std::vector<absl::string_view>> TextLines(
    absl::string_view text);

}  // namespace saliency

#endif  // SALIENCY_CORE_BASE_TEXT_LINES_H_
