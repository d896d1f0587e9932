#include "server/process_limits.h"

#include <sys/resource.h>
#include <unistd.h>

#include "gtest/gtest.h"

namespace saliency::process_limits_test {
namespace {

TEST(ProcessLimitsTest, LibrariesSeeTheCpusThatAreShown) {
  const long all = sysconf(_SC_NPROCESSORS_CONF);  // NOLINT
  ASSERT_GE(all, 1);
  ShowCpus(77);
  EXPECT_EQ(sysconf(_SC_NPROCESSORS_CONF), 77);
  EXPECT_EQ(sysconf(_SC_NPROCESSORS_ONLN), 77);
  EXPECT_GT(sysconf(_SC_PAGESIZE), 77);
  ShowCpus(0);
  EXPECT_EQ(sysconf(_SC_NPROCESSORS_CONF), all);
}

TEST(ProcessLimitsTest, TheLimitOnFilesIsRaisedToTheHardOne) {
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit low = before;
  low.rlim_cur = 200;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  EXPECT_EQ(RaiseFileLimit(), static_cast<int64_t>(before.rlim_max));
  setrlimit(RLIMIT_NOFILE, &before);
}

TEST(ProcessLimitsTest, ThreadsThatCanBeStartedAreEnough) {
  EXPECT_TRUE(CheckThreads(40).ok());
}

}  // namespace
}  // namespace saliency::process_limits_test
