// How much memory the devices that models run on hold: for metrics.
// Thread-safe.

#ifndef SALIENCY_CORE_MODEL_DEVICE_MEMORY_H_
#define SALIENCY_CORE_MODEL_DEVICE_MEMORY_H_

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace saliency {

// How many GPUs this machine and this build have.
int CountGpus();

struct DeviceMemory {
  std::string device;  // "cpu", "cuda:0"
  // cpu: "resident", of this process.  A GPU: "total" and "free" of the device,
  // "reserved" by this process's caching allocator, "allocated" of that to
  // tensors.
  std::string kind;
  int64_t bytes = 0;
};

// What is to be known of `devices`, names as in config.pbtxt ("cuda" is
// "cuda:0"); a name that this machine or build has no device for is left out.
// REQUIRES: a model was loaded on each GPU, so that asking starts nothing
// there.
std::vector<DeviceMemory> MeasureDeviceMemory(
    const std::set<std::string>& devices);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_DEVICE_MEMORY_H_
