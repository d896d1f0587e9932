// The devices that tests of tensor code run on.  A fixture derived from
// DeviceTest, instantiated over kTestDevices, runs everywhere and is skipped,
// with the reason, where the machine has no such device.

#ifndef SALIENCY_TESTS_SUPPORT_DEVICES_H_
#define SALIENCY_TESTS_SUPPORT_DEVICES_H_

#include <array>
#include <string>

#include "c10/core/Device.h"
#include "gtest/gtest.h"

namespace saliency {

inline constexpr std::array kTestDevices = {"cpu", "cuda:0"};

// Why tests on `device` cannot run here; empty when they can.
std::string WhyUnavailable(const std::string& device);

// "cuda:0" as part of a test's name: "cuda_0".
std::string DeviceTestName(const std::string& device);

inline std::string DeviceParamName(
    const testing::TestParamInfo<const char*>& param) {
  return DeviceTestName(param.param);
}

class DeviceTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string reason = WhyUnavailable(GetParam());
    if (!reason.empty()) GTEST_SKIP() << reason;
  }
  c10::Device device() const { return c10::Device(GetParam()); }
};

#define SALIENCY_INSTANTIATE_DEVICES(suite)                           \
  INSTANTIATE_TEST_SUITE_P(Devices, suite,                            \
                           testing::ValuesIn(saliency::kTestDevices), \
                           saliency::DeviceParamName)

}  // namespace saliency

#endif  // SALIENCY_TESTS_SUPPORT_DEVICES_H_
