// What the system lets this process have: files, threads, CPUs.
// Functions of the process; call before threads start.

#ifndef SALIENCY_SERVER_PROCESS_LIMITS_H_
#define SALIENCY_SERVER_PROCESS_LIMITS_H_

#include <cstdint>

#include "absl/status/status.h"

namespace saliency {

// Raises the limit on open files as far as it may; returns what it is then.
int64_t RaiseFileLimit();

// Whether `threads` more can be started, found out by starting them.  gRPC and
// LibTorch abort, or wait for ever, where one cannot.
// Errors: RESOURCE_EXHAUSTED naming how many could and the limits to look at.
absl::Status CheckThreads(int threads);

// From here on sysconf() tells this process's libraries that the machine has
// `cpus` CPUs.  gRPC makes threads and queues by that number and looks at no
// cgroup: of a quota of one CPU on 64 it would make dozens.  0: the truth.
void ShowCpus(int cpus);

}  // namespace saliency

#endif  // SALIENCY_SERVER_PROCESS_LIMITS_H_
