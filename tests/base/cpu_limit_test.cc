#include "core/base/cpu_limit.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "gtest/gtest.h"

namespace saliency::cpu_limit_test {
namespace {

// What a machine shows at /sys/fs/cgroup.
class CgroupTreeTest : public testing::Test {
 protected:
  CgroupTreeTest() : mount_(testing::TempDir() + "cgroups_XXXXXX") {
    if (mkdtemp(mount_.data()) == nullptr) std::abort();
  }
  ~CgroupTreeTest() override { std::filesystem::remove_all(mount_); }

  void Write(const std::string& name, const std::string& text) const {
    const std::filesystem::path path = mount_ + "/" + name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  void WriteV1(const std::string& folder, const std::string& quota_us) const {
    Write(folder + "/cpu.cfs_quota_us", quota_us);
    Write(folder + "/cpu.cfs_period_us", "100000\n");
  }

  std::string mount_;
};

TEST(CpuLimitTest, CgroupV2QuotaIsRoundedUpToWholeCpus) {
  EXPECT_EQ(CpusFromCgroupV2("200000 100000"), 2);
  EXPECT_EQ(CpusFromCgroupV2("150000 100000"), 2);
  EXPECT_EQ(CpusFromCgroupV2("50000 100000\n"), 1);
}

TEST(CpuLimitTest, NoQuotaIsNoLimit) {
  EXPECT_EQ(CpusFromCgroupV2("max 100000"), std::nullopt);
  EXPECT_EQ(CpusFromCgroupV2(""), std::nullopt);
  EXPECT_EQ(CpusFromCgroupV2("12"), std::nullopt);
  EXPECT_EQ(CpusFromCgroupV2("0 100000"), std::nullopt);
  EXPECT_EQ(CpusFromCgroupV1("-1", "100000"), std::nullopt);
}

TEST(CpuLimitTest, CgroupV1PairIsRead) {
  EXPECT_EQ(CpusFromCgroupV1("300000", "100000"), 3);
}

TEST_F(CgroupTreeTest, TheSmallestQuotaUpTheTreeIsTheLimit) {
  Write("system.slice/cpu.max", "400000 100000\n");
  Write("system.slice/one.service/cpu.max", "max 100000\n");
  Write("system.slice/two.service/cpu.max", "200000 100000\n");
  Write("system.slice/two.service/leaf/cpu.max", "800000 100000\n");
  EXPECT_EQ(CpusFromCgroups("0::/system.slice/one.service\n", mount_), 4);
  EXPECT_EQ(CpusFromCgroups("0::/system.slice/two.service/leaf\n", mount_), 2);
  EXPECT_EQ(CpusFromCgroups("0::/user.slice\n", mount_), std::nullopt);
}

TEST_F(CgroupTreeTest, OfV1TheCpuControllersCgroupCounts) {
  WriteV1("cpu", "-1\n");
  WriteV1("cpu/jobs", "300000\n");
  WriteV1("cpu/jobs/large", "600000\n");
  WriteV1("cpu/memory", "100000\n");
  EXPECT_EQ(CpusFromCgroups("5:cpuset:/memory\n4:cpu,cpuacct:/jobs/large\n"
                            "3:memory:/memory\n0::/init.scope\n",
                            mount_),
            3);
}

// A container often sees its own cgroup as the mount, whatever its path.
TEST_F(CgroupTreeTest, TheMountCountsWhereTheCgroupCannotBeSeen) {
  Write("cpu.max", "150000 100000\n");
  for (const char* self :
       {"0::/kubepods/pod1/abc\n", "0::/\n", "0::/../../other\n", ""}) {
    EXPECT_EQ(CpusFromCgroups(self, mount_), 2) << self;
  }
  WriteV1("cpu", "100000\n");
  EXPECT_EQ(CpusFromCgroups("4:cpu:/docker/abc\n", mount_), 1);
}

TEST(CpuLimitTest, ThisMachineHasAtLeastOneCpu) {
  EXPECT_GE(AvailableCpus(), 1);
}

}  // namespace
}  // namespace saliency::cpu_limit_test
