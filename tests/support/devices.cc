#include "tests/support/devices.h"

#include <torch/cuda.h>

#include <algorithm>

namespace saliency {

std::string WhyUnavailable(const std::string& device) {
  if (c10::Device(device).is_cuda() && !torch::cuda::is_available()) {
    return device +
           " is not available: this machine or this LibTorch has no "
           "CUDA";
  }
  return "";
}

std::string DeviceTestName(const std::string& device) {
  std::string name = device;
  std::replace(name.begin(), name.end(), ':', '_');
  return name;
}

}  // namespace saliency
