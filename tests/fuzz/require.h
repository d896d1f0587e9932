// What every fuzz target expects of our answers.

#ifndef SALIENCY_TESTS_FUZZ_REQUIRE_H_
#define SALIENCY_TESTS_FUZZ_REQUIRE_H_

#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"

namespace saliency {

// Ends the process, which libFuzzer takes for a find, when `claim` is false.
inline void Require(bool holds, const char* claim) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", claim);
  std::abort();
}

// A refusal blames the caller, in one short printable line.
inline void RequireRefusal(const absl::Status& status) {
  Require(status.code() == absl::StatusCode::kInvalidArgument,
          "a refusal is INVALID_ARGUMENT");
  const absl::string_view message = status.message();
  Require(!message.empty() && message.size() <= 2000,
          "a message has 1 to 2000 characters");
  for (const char c : message) {
    Require(absl::ascii_isprint(static_cast<unsigned char>(c)),
            "a message is printable ASCII");
  }
}

}  // namespace saliency

#endif  // SALIENCY_TESTS_FUZZ_REQUIRE_H_
