// UTF-8: what is well formed, and what of it may be shown.
// Pure functions; safe from any thread.
//
// Source: The Unicode Standard 15.0, section 3.9, table 3-7.

#ifndef SALIENCY_CORE_BASE_UTF8_H_
#define SALIENCY_CORE_BASE_UTF8_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace saliency {

struct Utf8Character {
  size_t length = 0;  // bytes; 0: no well-formed character starts here
  uint32_t code = 0;  // its code point
};

// The character that starts at `at`.  REQUIRES: at < text.size().
Utf8Character Utf8At(absl::string_view text, size_t at);

// Whether all of it is well formed.
bool IsUtf8(absl::string_view text);

// Whether a character can be shown on a line without doing anything else to it:
// no control character, line or paragraph separator, or mark that turns the
// direction of the text around it.
bool IsShown(uint32_t code);

// Number of characters; a byte that is no part of one counts as one.
size_t Utf8Length(absl::string_view text);

// `text` up to the last whole character within `max_bytes`.
absl::string_view Utf8Prefix(absl::string_view text, size_t max_bytes);

}  // namespace saliency

#endif  // SALIENCY_CORE_BASE_UTF8_H_
