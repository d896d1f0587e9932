// What every benchmark is told on its command line:
//
//   NAME MODELS [--device cpu] [--filter REGEX] [--rounds N] [--json FILE]
//
// and how it ends when it cannot go on.
// Thread-compatible.

#ifndef SALIENCY_TESTS_BENCH_BENCH_ARGUMENTS_H_
#define SALIENCY_TESTS_BENCH_BENCH_ARGUMENTS_H_

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace saliency {

struct BenchArguments {
  std::string models;  // model repository: <network>/1/model.pt
  std::string device = "cpu";
  std::string filter = ".*";  // of the cases' names
  std::string json;           // file to write the rows to; empty: none
  int rounds = 9;
};

// Ends the process with code 2 and the usage when something is wrong.
BenchArguments ParseBenchArguments(int argc, char** argv);

// Ends the process with code 1.
[[noreturn]] void Die(const absl::Status& status);

template <typename T>
T OrDie(absl::StatusOr<T> value) {
  if (!value.ok()) Die(value.status());
  return *std::move(value);
}

}  // namespace saliency

#endif  // SALIENCY_TESTS_BENCH_BENCH_ARGUMENTS_H_
