// What every fuzz target expects of our answers.

#ifndef SALIENCY_TESTS_FUZZ_REQUIRE_H_
#define SALIENCY_TESTS_FUZZ_REQUIRE_H_

#include <cstdio>
#include <cstdlib>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "core/base/utf8.h"

namespace saliency {

// Ends the process, which libFuzzer takes for a find, when `holds` is false.
inline void Require(bool holds, const char* claim) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", claim);
  std::abort();
}

// A refusal blames the caller, in one line that can be shown as it is.
inline void RequireRefusal(const absl::Status& status) {
  constexpr size_t kMaxBytes = 4096;
  Require(status.code() == absl::StatusCode::kInvalidArgument,
          "a refusal is INVALID_ARGUMENT");
  const absl::string_view message = status.message();
  Require(!message.empty() && message.size() <= kMaxBytes,
          "a message has 1 to 4096 bytes");
  for (size_t at = 0; at < message.size();) {
    const Utf8Character character = Utf8At(message, at);
    Require(character.length > 0, "a message is UTF-8");
    Require(IsShown(character.code), "a message is one printable line");
    at += character.length;
  }
}

}  // namespace saliency

#endif  // SALIENCY_TESTS_FUZZ_REQUIRE_H_
