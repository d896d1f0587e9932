#include "tests/bench/bench_arguments.h"

#include <cstdio>
#include <cstdlib>

namespace saliency {
namespace {

[[noreturn]] void WrongUsage(const char* program) {
  std::fprintf(stderr,
               "usage: %s MODELS [--device cpu|cuda:0] [--filter REGEX] "
               "[--rounds N] [--json FILE]\n",
               program);
  std::exit(2);
}

}  // namespace

BenchArguments ParseBenchArguments(int argc, char** argv) {
  BenchArguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const bool has_value = i + 1 < argc;
    if (word == "--device" && has_value) {
      arguments.device = argv[++i];
    } else if (word == "--filter" && has_value) {
      arguments.filter = argv[++i];
    } else if (word == "--rounds" && has_value) {
      arguments.rounds = std::atoi(argv[++i]);
    } else if (word == "--json" && has_value) {
      arguments.json = argv[++i];
    } else if (word[0] != '-' && arguments.models.empty()) {
      arguments.models = word;
    } else {
      std::fprintf(stderr, "unknown argument %s\n", word.c_str());
      WrongUsage(argv[0]);
    }
  }
  if (arguments.models.empty() || arguments.rounds < 1) WrongUsage(argv[0]);
  return arguments;
}

void Die(const absl::Status& status) {
  std::fprintf(stderr, "benchmark: %s\n", status.ToString().c_str());
  std::exit(1);
}

}  // namespace saliency
