// How many CPUs this process may really use: the smaller of its affinity mask
// and the quotas of its cgroup and those above it (v1 and v2).  LibTorch looks
// at neither.
// Pure functions of the machine; safe from any thread.

#ifndef SALIENCY_CORE_BASE_CPU_LIMIT_H_
#define SALIENCY_CORE_BASE_CPU_LIMIT_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace saliency {

// Whole CPUs available to this process, at least 1.
int AvailableCpus();

// CPUs allowed by the text of a cgroup v2 `cpu.max` file ("200000 100000"),
// rounded up; nullopt for "max" or text that is not of this form.
std::optional<int> CpusFromCgroupV2(absl::string_view cpu_max);

// The same for the v1 pair cpu.cfs_quota_us, cpu.cfs_period_us.
std::optional<int> CpusFromCgroupV1(absl::string_view quota_us,
                                    absl::string_view period_us);

// The smallest quota of a cgroup and of those above it, as far as they can be
// seen below `mount`; nullopt where none has one.  `self` is the text of
// /proc/self/cgroup.
std::optional<int> CpusFromCgroups(absl::string_view self,
                                   const std::string& mount);

}  // namespace saliency

#endif  // SALIENCY_CORE_BASE_CPU_LIMIT_H_
