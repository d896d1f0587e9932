// Devices by name.

#include "core/model/device.h"

#include <ATen/ATen.h>
#include <torch/cuda.h>

#include "absl/strings/str_cat.h"
#include "core/model/probed_model.h"
#include "gmock/gmock.h"
#include "tests/support/devices.h"
#include "tests/support/tensor_close.h"
#include "tests/support/tiny_models.h"

namespace saliency::device_test {
namespace {

using testing::HasSubstr;

TEST(ParseDeviceTest, CpuIsAlwaysHere) {
  EXPECT_EQ(ParseDevice("cpu").value(), c10::Device(c10::kCPU));
}

TEST(ParseDeviceTest, OtherNamesAreInvalid) {
  for (const char* name :
       {"", "CPU", "cpu:0", "gpu", "cuda:", "cuda:-1", "cuda:+1", "cuda: 1",
        "cuda:1 ", "cuda:1x", "cuda:128", "cuda:99999999999", "cuda0", "xla",
        "cuda:\n"}) {
    const absl::Status status = ParseDevice(name).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("is not \"cpu\", \"cuda\" or \"cuda:<number>\""));
  }
  EXPECT_THAT(std::string(ParseDevice("a\"\n").status().message()),
              HasSubstr("device \"a\\\"\\n\""));
}

TEST(ParseDeviceTest, AbsentGpuIsUnavailableAndSaysHowManyThereAre) {
  const auto count = torch::cuda::device_count();
  const std::string name = absl::StrCat("cuda:", count);
  const absl::Status status = ParseDevice(name).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(std::string(status.message()),
            absl::StrCat("device \"", name, "\" is not here: ", count,
                         " GPUs are visible"));
  if (count == 0) {
    EXPECT_EQ(ParseDevice("cuda").status().code(),
              absl::StatusCode::kUnavailable);
  }
}

TEST(ParseDeviceTest, ModelIsNotLoadedOntoADeviceThatIsNotHere) {
  LoadOptions options;
  options.device = absl::StrCat("cuda:", torch::cuda::device_count());
  EXPECT_EQ(ProbedModel::Load("model.pt", options).status().code(),
            absl::StatusCode::kUnavailable);
  options.device = "tpu";
  EXPECT_EQ(ProbedModel::Load("model.pt", options).status().code(),
            absl::StatusCode::kInvalidArgument);
}

class DeviceWorkTest : public DeviceTest {};
SALIENCY_INSTANTIATE_DEVICES(DeviceWorkTest);

TEST_P(DeviceWorkTest, NameIsParsedToTheDevice) {
  EXPECT_EQ(ParseDevice(GetParam()).value(), device());
}

TEST_P(DeviceWorkTest, UploadBringsValuesToTheDeviceInTheType) {
  const at::Tensor values = at::randn({3, 5}).t();  // not contiguous
  const at::Tensor same = Upload(values, device(), at::kFloat);
  EXPECT_EQ(same.device(), device());
  EXPECT_TRUE(Identical(same, values));
  const at::Tensor half = Upload(values, device(), at::kBFloat16);
  EXPECT_EQ(half.scalar_type(), at::kBFloat16);
  EXPECT_TRUE(Identical(half.cpu(), values.to(at::kBFloat16)));
}

TEST_P(DeviceWorkTest, WorkInAStreamScopeIsDoneAndMemoryCanBeReleased) {
  const std::optional<c10::Stream> stream = NewStream(device());
  EXPECT_EQ(stream.has_value(), !device().is_cpu());
  at::Tensor sum;
  {
    const StreamScope scope(stream);
    sum = Upload(at::ones({100}), device(), at::kFloat).sum().cpu();
  }
  EXPECT_EQ(sum.item<float>(), 100);
  ReleaseCachedMemory(device());
}

}  // namespace
}  // namespace saliency::device_test
