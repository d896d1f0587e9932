// The memory of a device, as it is told to Prometheus, follows what is put
// there.

#include "core/model/device_memory.h"

#include <ATen/ATen.h>

#include <map>

#include "tests/support/devices.h"

namespace saliency::device_memory_test {
namespace {

class DeviceMemoryTest : public DeviceTest {
 protected:
  // By kind.
  std::map<std::string, int64_t> Measure() const {
    std::map<std::string, int64_t> kinds;
    for (const DeviceMemory& entry : MeasureDeviceMemory({GetParam()})) {
      EXPECT_EQ(entry.device, GetParam());
      EXPECT_TRUE(kinds.emplace(entry.kind, entry.bytes).second) << entry.kind;
    }
    return kinds;
  }
};
SALIENCY_INSTANTIATE_DEVICES(DeviceMemoryTest);

TEST_P(DeviceMemoryTest, GrowsByWhatATensorHolds) {
  constexpr int64_t kBytes = int64_t{64} << 20;
  const std::string kind = device().is_cpu() ? "resident" : "allocated";
  const at::Tensor first = at::ones({1}, device());
  const int64_t before = Measure().at(kind);
  const at::Tensor large =
      at::ones({kBytes}, at::TensorOptions().device(device()).dtype(at::kChar));
  // The allocator may have had some of it, and other threads go on.
  EXPECT_GE(Measure().at(kind), before + kBytes / 2);
  EXPECT_LE(Measure().at(kind), before + kBytes * 2);
}

TEST(DeviceMemoryTest, AGpuHasTheFourKinds) {
  const std::string gpu = "cuda:0";
  const std::string reason = WhyUnavailable(gpu);
  if (!reason.empty()) GTEST_SKIP() << reason;
  const at::Tensor tensor = at::ones({1 << 20}, at::Device(gpu));
  std::map<std::string, int64_t> kinds;
  for (const DeviceMemory& entry : MeasureDeviceMemory({gpu})) {
    kinds[entry.kind] = entry.bytes;
  }
  ASSERT_EQ(kinds.size(), 4U);
  EXPECT_GE(kinds["allocated"], static_cast<int64_t>(tensor.nbytes()));
  EXPECT_GE(kinds["reserved"], kinds["allocated"]);
  EXPECT_GE(kinds["total"], kinds["reserved"] + kinds["free"]);
}

TEST(DeviceMemoryTest, DevicesThatAreNotThereAreLeftOut) {
  EXPECT_TRUE(MeasureDeviceMemory({}).empty());
  EXPECT_TRUE(MeasureDeviceMemory({"cuda:120", "tpu"}).empty());
  EXPECT_EQ(MeasureDeviceMemory({"cpu", "cuda:120"}).size(), 1U);
}

}  // namespace
}  // namespace saliency::device_memory_test
