#include "core/base/cpu_limit.h"

#include <sched.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace saliency {
namespace {

std::string FirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::string WholeFile(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The cgroup of a v1 controller, or of v2 (""), as /proc/self/cgroup names it
// ("4:cpu,cpuacct:/a/b", "0::/a/b"); "", the mount itself, where it is not
// below the mount.
std::string CgroupOf(absl::string_view self, absl::string_view controller) {
  for (absl::string_view line : absl::StrSplit(self, '\n')) {
    const std::vector<absl::string_view> fields =
        absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (fields.size() != 3) continue;
    const std::vector<absl::string_view> controllers =
        absl::StrSplit(fields[1], ',');
    if (std::find(controllers.begin(), controllers.end(), controller) !=
        controllers.end()) {
      const absl::string_view path = absl::StripSuffix(fields[2], "/");
      return absl::StrContains(path, "/..") ? "" : std::string(path);
    }
  }
  return "";
}

// The folders of a cgroup and of all above it, the mount's last.
std::vector<std::string> FoldersUp(const std::string& mount,
                                   std::string cgroup) {
  std::vector<std::string> folders = {mount + cgroup};
  while (!cgroup.empty()) {
    const size_t slash = cgroup.rfind('/');
    cgroup.resize(slash == std::string::npos ? 0 : slash);
    folders.push_back(mount + cgroup);
  }
  return folders;
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

std::optional<int> CpusFromCgroups(absl::string_view self,
                                   const std::string& mount) {
  std::optional<int> least;
  const auto limit = [&](std::optional<int> cpus) {
    if (cpus) least = std::min(least.value_or(*cpus), *cpus);
  };
  for (const std::string& folder : FoldersUp(mount, CgroupOf(self, ""))) {
    limit(CpusFromCgroupV2(FirstLine(folder + "/cpu.max")));
  }
  for (const std::string& folder :
       FoldersUp(mount + "/cpu", CgroupOf(self, "cpu"))) {
    limit(CpusFromCgroupV1(FirstLine(folder + "/cpu.cfs_quota_us"),
                           FirstLine(folder + "/cpu.cfs_period_us")));
  }
  return least;
}

int AvailableCpus() {
  const int cpus = std::max(1, AffinityCpus());
  const std::optional<int> quota =
      CpusFromCgroups(WholeFile("/proc/self/cgroup"), "/sys/fs/cgroup");
  return std::max(1, std::min(cpus, quota.value_or(cpus)));
}

}  // namespace saliency
