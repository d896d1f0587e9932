// How many threads the server takes for itself: as many as it may use CPUs, by
// its affinity and by its cgroup's quota.  The quota is a file of the test's
// own, laid over the system's where only the server sees it.

#include <sched.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/end_to_end/child_process.h"
#include "tests/lifecycle/laid_over.h"
#include "tests/lifecycle/served.h"
#include "tests/server/temporary_folder.h"

namespace saliency::cpu_limit_test {
namespace {

using ::testing::HasSubstr;

// The command under a cgroup that looks like `folder`.
std::vector<std::string> Under(const std::string& unshare_flag,
                               const TemporaryFolder& folder,
                               const std::vector<std::string>& command) {
  return WithLaidOver(unshare_flag,
                      {.ours = folder.path(), .system = "/sys/fs/cgroup"},
                      command);
}

std::string DefaultThreads(const std::vector<std::string>& command) {
  const ProgramResult help = RunProgram({.command = command});
  EXPECT_EQ(help.exit_code, 0) << help.err;
  return help.out;
}

int OwnCpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  sched_getaffinity(0, sizeof set, &set);
  return CPU_COUNT(&set);
}

class CpuLimitProcessTest : public testing::Test {
 protected:
  void SetUp() override {
    unshare_flag_ = UnshareFlag();
    if (!unshare_flag_.has_value()) {
      GTEST_SKIP() << "this machine allows no mounts of one's own";
    }
    if (OwnCpus() < 2) GTEST_SKIP() << "one CPU cannot be limited further";
  }

  std::optional<std::string> unshare_flag_;
  TemporaryFolder cgroup_;
};

TEST_F(CpuLimitProcessTest, HelpShowsTheQuotaOfCgroupV2) {
  cgroup_.Write("cpu.max", "50000 100000\n");
  const std::string help = DefaultThreads(
      Under(*unshare_flag_, cgroup_, {SALIENCY_SERVER_BINARY, "--help"}));
  EXPECT_THAT(help, HasSubstr("=1 (Env:SALIENCY_CPU_THREADS)"));
  EXPECT_THAT(help, HasSubstr("=1 (Env:SALIENCY_TORCH_THREADS)"));
}

TEST_F(CpuLimitProcessTest, HelpShowsTheQuotaOfCgroupV1) {
  cgroup_.Write("cpu/cpu.cfs_quota_us", "100000\n");
  cgroup_.Write("cpu/cpu.cfs_period_us", "100000\n");
  const std::string help = DefaultThreads(
      Under(*unshare_flag_, cgroup_, {SALIENCY_SERVER_BINARY, "--help"}));
  EXPECT_THAT(help, HasSubstr("=1 (Env:SALIENCY_TORCH_THREADS)"));
}

TEST_F(CpuLimitProcessTest, WithoutAQuotaItTakesAllItMay) {
  cgroup_.Write("cpu.max", "max 100000\n");
  const std::string help = DefaultThreads(
      Under(*unshare_flag_, cgroup_, {SALIENCY_SERVER_BINARY, "--help"}));
  EXPECT_THAT(help, HasSubstr(absl::StrCat("=", OwnCpus(),
                                           " (Env:SALIENCY_TORCH_THREADS)")));
}

TEST_F(CpuLimitProcessTest, TheLogSaysWhatAServerTook) {
  cgroup_.Write("cpu.max", "100000 100000\n");
  ModelFolder models;
  AddModel(models);
  const auto server = ChildProcess::Start(
      {.command = Under(*unshare_flag_, cgroup_,
                        {SALIENCY_SERVER_BINARY, "--models=" + models.path(),
                         "--listen-address=127.0.0.1:0",
                         "--metrics-address=off", "--drain-delay=0"})});
  ASSERT_TRUE(server.ok());
  EXPECT_TRUE((*server)->AwaitError("torch_threads=1 cpu_threads=1"))
      << (*server)->err();
}

TEST(AffinityProcessTest, HelpShowsTheCpusThatItMayRunOn) {
  cpu_set_t set;
  CPU_ZERO(&set);
  ASSERT_EQ(sched_getaffinity(0, sizeof set, &set), 0);
  int first = 0;
  while (!CPU_ISSET(first, &set)) ++first;
  const std::string help =
      DefaultThreads({"/usr/bin/taskset", "-c", absl::StrCat(first),
                      SALIENCY_SERVER_BINARY, "--help"});
  EXPECT_THAT(help, HasSubstr("=1 (Env:SALIENCY_CPU_THREADS)"));
  EXPECT_THAT(help, HasSubstr("=1 (Env:SALIENCY_TORCH_THREADS)"));
}

}  // namespace
}  // namespace saliency::cpu_limit_test
