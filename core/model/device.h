// Devices by name, and the stream that a replica's work runs on.
// Internal to the model room.

#ifndef SALIENCY_CORE_MODEL_DEVICE_H_
#define SALIENCY_CORE_MODEL_DEVICE_H_

#include <memory>
#include <optional>
#include <string>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "c10/core/Device.h"
#include "c10/core/Stream.h"

namespace saliency {

// "cpu", "cuda", "cuda:1".
// Errors: INVALID_ARGUMENT another name; UNAVAILABLE this machine or build has
// no such device.
absl::StatusOr<c10::Device> ParseDevice(const std::string& name);

// A stream of the device's pool, so that replicas do not wait for each other;
// nullopt on the CPU.
std::optional<c10::Stream> NewStream(c10::Device device);

// While it lives, this thread's work goes to `stream` (nullopt: no change).
class StreamScope {
 public:
  explicit StreamScope(const std::optional<c10::Stream>& stream);
  ~StreamScope();
  StreamScope(const StreamScope&) = delete;
  StreamScope& operator=(const StreamScope&) = delete;

 private:
  struct Guard;
  std::unique_ptr<Guard> guard_;
};

// The time when all that this thread has given to the device is done, which it
// waits for: a GPU runs behind the calls that feed it.
absl::Time TimeWhenDone(c10::Device device);

// Copies to the device, by way of pinned memory and without waiting when that
// is a GPU.
at::Tensor Upload(const at::Tensor& tensor, c10::Device device,
                  at::ScalarType dtype);

// Gives the caching allocator's unused blocks back, after an out-of-memory.
void ReleaseCachedMemory(c10::Device device);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_DEVICE_H_
