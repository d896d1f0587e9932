#include "core/model/device.h"

#include <ATen/ATen.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/cuda.h>
#ifdef SALIENCY_CUDA
#include <c10/cuda/CUDACachingAllocator.h>
#endif

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/near_names.h"

namespace saliency {

absl::StatusOr<c10::Device> ParseDevice(const std::string& name) {
  if (name == "cpu") return c10::Device(c10::kCPU);
  int index = 0;
  const bool numbered =
      absl::StartsWith(name, "cuda:") &&
      name.find_first_not_of("0123456789", 5) == std::string::npos &&
      absl::SimpleAtoi(name.substr(5), &index) && index < 128;
  if (name != "cuda" && !numbered) {
    return absl::InvalidArgumentError(
        absl::StrCat("device \"", Printable(name),
                     "\" is not \"cpu\", \"cuda\" or \"cuda:<number>\""));
  }
  const auto count = static_cast<int>(torch::cuda::device_count());
  if (index >= count) {
    return absl::UnavailableError(absl::StrCat(
        "device \"", name, "\" is not here: ", count, " GPUs are visible"));
  }
  return c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(index));
}

std::optional<c10::Stream> NewStream(c10::Device device) {
  if (device.is_cpu()) return std::nullopt;
  return c10::impl::getDeviceGuardImpl(device.type())
      ->getStreamFromGlobalPool(device);
}

struct StreamScope::Guard {
  c10::StreamGuard guard;
};

StreamScope::StreamScope(const std::optional<c10::Stream>& stream) {
  if (stream) guard_.reset(new Guard{c10::StreamGuard(*stream)});
}
StreamScope::~StreamScope() = default;

absl::Time TimeWhenDone(c10::Device device) {
  if (!device.is_cpu()) {
    c10::impl::getDeviceGuardImpl(device.type())
        ->getStream(device)
        .synchronize();
  }
  return absl::Now();
}

at::Tensor Upload(const at::Tensor& tensor, c10::Device device,
                  at::ScalarType dtype) {
  if (device.is_cpu() || !tensor.device().is_cpu()) {
    return tensor.to(device, dtype);
  }
  const at::Tensor pinned =
      tensor.is_pinned() ? tensor : tensor.contiguous().pin_memory();
  return pinned.to(device, /*non_blocking=*/true).to(dtype);
}

void ReleaseCachedMemory(c10::Device device) {
#ifdef SALIENCY_CUDA
  if (device.is_cuda()) c10::cuda::CUDACachingAllocator::emptyCache();
#endif
  static_cast<void>(device);
}

}  // namespace saliency
