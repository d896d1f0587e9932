#include "core/base/cpu_limit.h"

#include "gtest/gtest.h"

namespace saliency {
namespace {

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

TEST(CpuLimitTest, ThisMachineHasAtLeastOneCpu) {
  EXPECT_GE(AvailableCpus(), 1);
}

}  // namespace
}  // namespace saliency
