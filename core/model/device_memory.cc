#include "core/model/device_memory.h"

#include <torch/cuda.h>
#include <unistd.h>
#ifdef SALIENCY_CUDA
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAGuard.h>
#include <cuda_runtime_api.h>
#endif

#include <fstream>

#include "core/model/device.h"
#include "core/model/torch_status.h"

namespace saliency {
namespace {

// The second number of /proc/self/statm; 0 where there is no such file.
int64_t ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  int64_t total_pages = 0;
  int64_t resident_pages = 0;
  if (!(file >> total_pages >> resident_pages)) return 0;
  return resident_pages * sysconf(_SC_PAGESIZE);
}

#ifdef SALIENCY_CUDA
void AppendCuda(c10::Device device, std::vector<DeviceMemory>& memory) {
  const c10::cuda::CUDAGuard guard(device);
  size_t free_bytes = 0;
  size_t total_bytes = 0;
  // A lost device has nothing to say.
  if (cudaMemGetInfo(&free_bytes, &total_bytes) != cudaSuccess) return;
  const auto stats =
      c10::cuda::CUDACachingAllocator::getDeviceStats(device.index());
  const std::string name = device.str();
  // The first entry of each statistic is that of all pools.
  memory.push_back({name, "total", static_cast<int64_t>(total_bytes)});
  memory.push_back({name, "free", static_cast<int64_t>(free_bytes)});
  memory.push_back({name, "reserved", stats.reserved_bytes[0].current});
  memory.push_back({name, "allocated", stats.allocated_bytes[0].current});
}
#endif

}  // namespace

int CountGpus() { return static_cast<int>(torch::cuda::device_count()); }

std::vector<DeviceMemory> MeasureDeviceMemory(
    const std::set<std::string>& devices) {
  std::vector<DeviceMemory> memory;
  for (const std::string& name : devices) {
    const absl::StatusOr<c10::Device> device = ParseDevice(name);
    if (!device.ok()) continue;
    if (device->is_cpu()) {
      memory.push_back({name, "resident", ResidentBytes()});
      continue;
    }
#ifdef SALIENCY_CUDA
    // What fails here fails at the next pass too, and is reported there.
    CatchTorch(absl::StatusCode::kInternal, "device memory", [&] {
      AppendCuda(*device, memory);
      return absl::OkStatus();
    }).IgnoreError();
#endif
  }
  return memory;
}

}  // namespace saliency
