#include "core/model/torch_status.h"

#include <exception>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "c10/util/Exception.h"

namespace saliency {
namespace {

constexpr char kDetailUrl[] = "saliency/torch_detail";

// The allocator's and the driver's failures surface as plain c10::Error or, out
// of the interpreter, as std::exception: their text is all there is to go by.
bool SaysOutOfMemory(absl::string_view text) {
  return absl::StrContains(text, "out of memory") ||
         absl::StrContains(text, "CUDNN_STATUS_ALLOC_FAILED") ||
         absl::StrContains(text, "CUBLAS_STATUS_ALLOC_FAILED") ||
         absl::StrContains(text, "can't allocate memory") ||
         absl::StrContains(text, "not enough memory") ||
         absl::StrContains(text, "bad_alloc");
}

bool SaysDeviceLost(absl::string_view text) {
  return absl::StrContains(text, "CUDA error") ||
         absl::StrContains(text, "No CUDA GPUs are available") ||
         absl::StrContains(text, "Found no NVIDIA driver");
}

}  // namespace

absl::Status WithTorchDetail(absl::StatusCode code, absl::string_view what,
                             absl::string_view detail) {
  absl::Status status(code, what);
  status.SetPayload(kDetailUrl, absl::Cord(detail));
  return status;
}

absl::Status CatchTorch(absl::StatusCode code, absl::string_view what,
                        const std::function<absl::Status()>& work) {
  try {
    return work();
  } catch (const c10::OutOfMemoryError& e) {
    return WithTorchDetail(absl::StatusCode::kResourceExhausted,
                           absl::StrCat(what, ": out of device memory"),
                           e.what());
  } catch (const std::bad_alloc& e) {
    return WithTorchDetail(absl::StatusCode::kResourceExhausted,
                           absl::StrCat(what, ": out of memory"), e.what());
  } catch (const std::exception& e) {
    if (SaysOutOfMemory(e.what())) {
      return WithTorchDetail(absl::StatusCode::kResourceExhausted,
                             absl::StrCat(what, ": out of device memory"),
                             e.what());
    }
    if (SaysDeviceLost(e.what())) {
      return WithTorchDetail(absl::StatusCode::kUnavailable,
                             absl::StrCat(what, ": the device is lost"),
                             e.what());
    }
    return WithTorchDetail(code, what, e.what());
  }
}

std::string TorchDetail(const absl::Status& status) {
  const auto payload = status.GetPayload(kDetailUrl);
  return payload ? std::string(*payload) : std::string();
}

}  // namespace saliency
