// "Did you mean": the known names closest to one that was not found.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_BASE_NEAR_NAMES_H_
#define SALIENCY_CORE_BASE_NEAR_NAMES_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace saliency {

// The `count` names with the smallest edit distance to `wanted`, nearest
// first, ties in the order given, each once.
std::vector<std::string> NearNames(absl::string_view wanted,
                                   absl::Span<const std::string> known,
                                   int count = 3);

// `layer "layer9" not found; nearest: "layer4", "layer3", "layer2"`; `wanted`
// is escaped and cut to 80 characters, since callers invent it.
std::string NotFoundMessage(absl::string_view noun, absl::string_view wanted,
                            absl::Span<const std::string> known);

// What is left of a name when case and punctuation do not count: "Grad-CAM++"
// is "gradcam++" and "norm_grad" is "normgrad".  A plus sign counts.
std::string FoldedName(absl::string_view name);

// A caller's text made safe for a message or a log line: characters of UTF-8 as
// they are, but quotes, backslashes, control characters and bytes that are no
// UTF-8 C-escaped; cut to `max_chars` characters with "..." at the end.
std::string Printable(absl::string_view text, int max_chars = 80);

}  // namespace saliency

#endif  // SALIENCY_CORE_BASE_NEAR_NAMES_H_
