// LibTorch's exceptions as statuses.

#include "core/model/torch_status.h"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>

#include <new>
#include <stdexcept>

#include "gmock/gmock.h"

namespace saliency::torch_status_test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

template <typename Thrown>
absl::Status Catch(const Thrown& thrown) {
  return CatchTorch(absl::StatusCode::kInvalidArgument, "the step",
                    [&]() -> absl::Status { throw thrown; });
}

TEST(TorchStatusTest, ResultOfTheWorkIsHandedOn) {
  const auto run = [](const absl::Status& status) {
    return CatchTorch(absl::StatusCode::kInternal, "the step",
                      [&] { return status; });
  };
  EXPECT_TRUE(run(absl::OkStatus()).ok());
  EXPECT_EQ(run(absl::NotFoundError("layer")), absl::NotFoundError("layer"));
  EXPECT_THAT(TorchDetail(run(absl::NotFoundError("layer"))), IsEmpty());
}

TEST(TorchStatusTest, OrdinaryErrorGetsTheCallersCodeAndWords) {
  const absl::Status status = Catch(std::runtime_error("mat1 and mat2"));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::string(status.message()), "the step");
  EXPECT_EQ(TorchDetail(status), "mat1 and mat2");
  EXPECT_EQ(CatchTorch(absl::StatusCode::kInternal, "aggregating",
                       []() -> absl::Status { throw std::logic_error("x"); })
                .code(),
            absl::StatusCode::kInternal);
}

TEST(TorchStatusTest, LibrarysOwnWordsAreInTheDetailOnly) {
  const absl::Status status =
      CatchTorch(absl::StatusCode::kInvalidArgument, "the step", [] {
        at::zeros({2, 3}).matmul(at::zeros({2, 3}));
        return absl::OkStatus();
      });
  EXPECT_EQ(std::string(status.message()), "the step");
  EXPECT_THAT(TorchDetail(status), HasSubstr("2x3"));
  // What a caller may see of it.
  EXPECT_EQ(absl::Status(status.code(), status.message()).ToString(),
            "INVALID_ARGUMENT: the step");
}

TEST(TorchStatusTest, LackOfMemoryIsResourceExhausted) {
  const c10::SourceLocation here = {__func__, __FILE__, __LINE__};
  const absl::Status statuses[] = {
      Catch(c10::OutOfMemoryError(here, "tried to allocate 2 GiB")),
      Catch(std::bad_alloc()),
      Catch(std::runtime_error("failed in the interpreter: std::bad_alloc")),
      Catch(std::runtime_error("CUDA out of memory. Tried to allocate")),
      Catch(std::runtime_error("CUDA error: out of memory")),
      Catch(std::runtime_error("cuDNN error: CUDNN_STATUS_ALLOC_FAILED")),
      Catch(std::runtime_error("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when")),
      Catch(std::runtime_error(
          "DefaultCPUAllocator: can't allocate memory: you tried to")),
      Catch(std::runtime_error("DefaultCPUAllocator: not enough memory"))};
  for (const absl::Status& status : statuses) {
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted)
        << TorchDetail(status);
    EXPECT_THAT(std::string(status.message()), HasSubstr("the step: out of"));
  }
}

TEST(TorchStatusTest, RealFailedAllocationIsResourceExhausted) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "AddressSanitizer ends the process at such a size";
#endif
  const absl::Status status =
      CatchTorch(absl::StatusCode::kInternal, "the step", [] {
        at::empty({int64_t{1} << 50});
        return absl::OkStatus();
      });
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted)
      << TorchDetail(status);
}

TEST(TorchStatusTest, LostDeviceIsUnavailable) {
  for (const char* text :
       {"CUDA error: an illegal memory access was encountered",
        "CUDA error: device-side assert triggered",
        "No CUDA GPUs are available",
        "Found no NVIDIA driver on your system"}) {
    const absl::Status status = Catch(std::runtime_error(text));
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(std::string(status.message()), "the step: the device is lost");
    EXPECT_EQ(TorchDetail(status), text);
  }
}

TEST(TorchStatusTest, StatusesOfOthersHaveNoDetail) {
  EXPECT_THAT(TorchDetail(absl::OkStatus()), IsEmpty());
  EXPECT_THAT(TorchDetail(absl::InternalError("x")), IsEmpty());
}

}  // namespace
}  // namespace saliency::torch_status_test
