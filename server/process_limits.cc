#include "server/process_limits.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/mutex.h"

namespace saliency {
namespace {

struct Gate {
  Mutex mu;
  bool open ABSL_GUARDED_BY(mu) = false;
};

std::atomic<int> g_shown_cpus = 0;

void* WaitAtGate(void* data) {
  auto* gate = static_cast<Gate*>(data);
  MutexLock lock(&gate->mu);
  gate->mu.Await(absl::Condition(&gate->open));
  return nullptr;
}

}  // namespace

void ShowCpus(int cpus) { g_shown_cpus = cpus; }

int64_t RaiseFileLimit() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<int64_t>(limit.rlim_cur);
}

absl::Status CheckThreads(int threads) {
  Gate gate;
  std::vector<pthread_t> started;
  for (int i = 0; i < threads; ++i) {
    pthread_t thread;
    if (pthread_create(&thread, nullptr, &WaitAtGate, &gate) != 0) break;
    started.push_back(thread);
  }
  {
    MutexLock lock(&gate.mu);
    gate.open = true;
  }
  for (const pthread_t thread : started) pthread_join(thread, nullptr);
  if (static_cast<int>(started.size()) == threads) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(
      "only ", started.size(), " of the ", threads,
      " threads that the server needs can be started: raise the limit on "
      "processes (pids.max of the cgroup, --pids-limit of the container, "
      "ulimit "
      "-u), or lower --cpu-threads and --torch-threads"));
}

}  // namespace saliency

// Libraries take the executable's definition before libc's.
extern "C" long sysconf(int name) noexcept {  // NOLINT(google-runtime-int)
  using SysConf = long (*)(int);              // NOLINT(google-runtime-int)
  static const auto in_libc =
      reinterpret_cast<SysConf>(dlsym(RTLD_NEXT, "sysconf"));
  const int cpus = saliency::g_shown_cpus;
  const bool asked =
      name == _SC_NPROCESSORS_CONF || name == _SC_NPROCESSORS_ONLN;
  return asked && cpus > 0 ? cpus : in_libc(name);
}
