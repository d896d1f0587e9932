#include "core/base/cpu_limit.h"

#include <sched.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace saliency {
namespace {

std::string FirstLine(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

int AffinityCpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  return static_cast<int>(std::thread::hardware_concurrency());
}

std::optional<int> QuotaCpus(int64_t quota, int64_t period) {
  if (quota <= 0 || period <= 0) return std::nullopt;
  return static_cast<int>(
      std::min<int64_t>((quota + period - 1) / period, 1 << 16));
}

}  // namespace

std::optional<int> CpusFromCgroupV2(absl::string_view cpu_max) {
  const std::vector<absl::string_view> words =
      absl::StrSplit(cpu_max, ' ', absl::SkipWhitespace());
  int64_t quota = 0, period = 0;
  if (words.size() != 2 || !absl::SimpleAtoi(words[0], &quota) ||
      !absl::SimpleAtoi(words[1], &period)) {
    return std::nullopt;
  }
  return QuotaCpus(quota, period);
}

std::optional<int> CpusFromCgroupV1(absl::string_view quota_us,
                                    absl::string_view period_us) {
  int64_t quota = 0, period = 0;
  if (!absl::SimpleAtoi(quota_us, &quota) ||
      !absl::SimpleAtoi(period_us, &period)) {
    return std::nullopt;
  }
  return QuotaCpus(quota, period);
}

int AvailableCpus() {
  int cpus = std::max(1, AffinityCpus());
  std::optional<int> quota =
      CpusFromCgroupV2(FirstLine("/sys/fs/cgroup/cpu.max"));
  if (!quota) {
    quota = CpusFromCgroupV1(FirstLine("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"),
                             FirstLine("/sys/fs/cgroup/cpu/cpu.cfs_period_us"));
  }
  if (quota) cpus = std::min(cpus, *quota);
  return std::max(1, cpus);
}

}  // namespace saliency
