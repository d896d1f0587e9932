// Images and tensors that are none, and messages that are none.

#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "tests/end_to_end/malformed_case.h"
#include "tests/end_to_end/wire.h"

namespace saliency::malformed_inputs_test {
namespace {

using Request = v1::ComputeSaliencyRequest;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();

void SetImage(Request& request, const std::string& bytes) {
  request.mutable_input()->set_image(bytes);
}

// The sample with other sizes in its frame header (marker C0 or C2: length,
// precision, height, width).
std::string JpegThatClaims(int height, int width) {
  std::string jpeg = SampleJpeg();
  for (size_t at = 2; at + 9 < jpeg.size();) {
    const auto byte = [&](size_t i) {
      return static_cast<unsigned char>(jpeg[at + i]);
    };
    if (byte(1) == 0xC0 || byte(1) == 0xC2) {
      jpeg[at + 5] = static_cast<char>(height >> 8);
      jpeg[at + 6] = static_cast<char>(height & 0xFF);
      jpeg[at + 7] = static_cast<char>(width >> 8);
      jpeg[at + 8] = static_cast<char>(width & 0xFF);
      return jpeg;
    }
    at += 2 + byte(2) * 256 + byte(3);
  }
  ADD_FAILURE() << "no frame header";
  return jpeg;
}

INSTANTIATE_TEST_SUITE_P(
    Images, MalformedTest,
    ::testing::Values(
        MalformedCase{
            "None", [](Request& r) { r.clear_input(); }, kInvalid, {"input"}},
        MalformedCase{"Empty",
                      [](Request& r) { SetImage(r, ""); },
                      kInvalid,
                      {"input.image", "empty"}},
        MalformedCase{
            "Garbage",
            [](Request& r) { SetImage(r, "this is no image at all"); },
            kInvalid,
            {"input.image"}},
        MalformedCase{"HalfAJpeg",
                      [](Request& r) {
                        SetImage(
                            r, SampleJpeg().substr(0, SampleJpeg().size() / 2));
                      },
                      kInvalid,
                      {"input.image", "JPEG"}},
        MalformedCase{"JpegWithoutItsLastBytes",
                      [](Request& r) {
                        SetImage(
                            r, SampleJpeg().substr(0, SampleJpeg().size() - 2));
                      },
                      kInvalid,
                      {"input.image", "JPEG"}},
        MalformedCase{
            "JpegHeaderAlone",
            [](Request& r) { SetImage(r, SampleJpeg().substr(0, 4)); },
            kInvalid,
            {"input.image", "JPEG"}},
        MalformedCase{"JpegOfNoise",
                      [](Request& r) {
                        std::string jpeg = SampleJpeg();
                        for (size_t i = 700; i + 2 < jpeg.size(); i += 3) {
                          jpeg[i] = static_cast<char>(0xFF - i % 7);
                        }
                        SetImage(r, jpeg);
                      },
                      kInvalid,
                      {"input.image"}},
        MalformedCase{
            "MorePixelsThanAllowed",
            [](Request& r) { SetImage(r, JpegThatClaims(65500, 65500)); },
            kInvalid,
            {"input.image", "65500", "40000000"}},
        MalformedCase{
            "MoreBytesThanAllowed",
            [](Request& r) { SetImage(r, std::string(21 << 20, 'x')); },
            kInvalid,
            {"input.image", "22020096", "20971520"}}),
    CaseName);

TEST(MalformedImagesTest, KindsThatAreNotReadAreRefused) {
  for (const auto& entry : std::filesystem::directory_iterator(
           absl::StrCat(SALIENCY_GOLDEN_DIR, "/pil/refuse"))) {
    SCOPED_TRACE(entry.path().filename());
    Request request = GoodRequest();
    SetImage(request, ReadBytes(entry.path()));
    const absl::Status status =
        MalformedServer().client().ComputeSaliency(request).status();
    EXPECT_EQ(status.code(), kInvalid) << status;
    ExpectFitForCallers(std::string(status.message()));
  }
  ExpectStillServes();
}

void UseValue(Request& request, float value) {
  v1::Tensor& tensor = UseTensor(request, {3, 8, 8});
  tensor.mutable_data()->replace(5 * sizeof(value), sizeof(value),
                                 reinterpret_cast<const char*>(&value),
                                 sizeof(value));
}

INSTANTIATE_TEST_SUITE_P(
    Tensors, MalformedTest,
    ::testing::Values(
        MalformedCase{"NoShape",
                      [](Request& r) { UseTensor(r, {}); },
                      kInvalid,
                      {"input.tensor.shape", "0 sizes"}},
        MalformedCase{"FiveSizes",
                      [](Request& r) {
                        UseTensor(r, {1, 1, 3, 8, 8});
                      },
                      kInvalid,
                      {"input.tensor.shape", "5 sizes"}},
        MalformedCase{"FourChannels",
                      [](Request& r) {
                        UseTensor(r, {4, 8, 6});
                      },
                      kInvalid,
                      {"input.tensor.shape", "[4,8,6]"}},
        MalformedCase{"ZeroSize",
                      [](Request& r) {
                        UseTensor(r, {3, 0, 8});
                      },
                      kInvalid,
                      {"input.tensor.shape", "[3,0,8]"}},
        MalformedCase{"NegativeSize",
                      [](Request& r) {
                        UseTensor(r, {3, -8, 8});
                      },
                      kInvalid,
                      {"input.tensor.shape", "[3,-8,8]"}},
        MalformedCase{
            "ProductOverflowsToZero",
            [](Request& r) {
              UseTensor(r, {int64_t{1} << 32, 3, int64_t{1} << 32, 8});
            },
            kInvalid,
            {"input.tensor.shape"}},
        MalformedCase{"ProductOverflows",
                      [](Request& r) {
                        UseTensor(r, {3, kHuge, kHuge});
                      },
                      kInvalid,
                      {"input.tensor.shape", "40000000"}},
        MalformedCase{"TooManyImages",
                      [](Request& r) {
                        UseTensor(r, {kHuge, 3, 1, 1});
                      },
                      kInvalid,
                      {"input.tensor.shape", "1024"}},
        MalformedCase{"TooFewBytes",
                      [](Request& r) {
                        UseTensor(r, {3, 8, 9});
                      },
                      kInvalid,
                      {"input.tensor.data", "768", "864"}},
        MalformedCase{"NoBytes",
                      [](Request& r) {
                        UseTensor(r, {3, 8, 8}).clear_data();
                      },
                      kInvalid,
                      {"input.tensor.data", "0 bytes", "768"}},
        MalformedCase{"NotANumber",
                      [](Request& r) {
                        UseValue(r, std::numeric_limits<float>::quiet_NaN());
                      },
                      kInvalid,
                      {"input.tensor.data", "value 5", "not finite"}},
        MalformedCase{"Infinite",
                      [](Request& r) {
                        UseValue(r, -std::numeric_limits<float>::infinity());
                      },
                      kInvalid,
                      {"input.tensor.data", "value 5", "not finite"}}),
    CaseName);

TEST(MalformedResultsTest, ABadLayerAmongGoodOnesFailsAlone) {
  Request request = GoodRequest();
  *request.mutable_attributions(0) =
      At("norm_grad", {"layer3", "layer9", "fc", "layer4"});
  const auto response = MalformedServer().client().ComputeSaliency(request);
  ASSERT_TRUE(response.ok()) << response.status();
  ASSERT_EQ(response->maps_size(), 4);
  const auto code = [&](int map) {
    return static_cast<absl::StatusCode>(response->maps(map).status().code());
  };
  EXPECT_EQ(code(0), absl::StatusCode::kOk);
  EXPECT_EQ(code(1), absl::StatusCode::kNotFound);
  EXPECT_EQ(code(2), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(3), absl::StatusCode::kOk);
  ExpectFitForCallers(response->maps(1).status().message());
  ExpectFitForCallers(response->maps(2).status().message());
  EXPECT_TRUE(response->maps(1).data().empty());
}

// An image of one pixel, and tensors that shrink to nothing in the network,
// may have an answer or not; never is it our bug.
TEST(MalformedResultsTest, VerySmallInputsAreAnsweredOrRefused) {
  for (const int side : {1, 2, 3, 7}) {
    SCOPED_TRACE(side);
    Request request = GoodRequest();
    *request.mutable_input() = RandomTensor(side, {side, side});
    const absl::Status status =
        MalformedServer().client().ComputeSaliency(request).status();
    if (!status.ok()) {
      EXPECT_EQ(status.code(), kInvalid) << status;
      ExpectFitForCallers(std::string(status.message()));
    }
  }
  ExpectStillServes();
}

// Bytes that are no message are answered as such, with the reason.
TEST(MalformedMessageTest, BytesThatAreNoMessageAreRefused) {
  grpc::GenericStub stub(MalformedServer().server().channel());
  for (const std::string& bytes :
       {std::string("\xFF\xFF\xFF\xFF"), std::string("\x0A\x7Fshort"),
        std::string("\x0A\x02\xC3\x28", 4), std::string(1000, '\x80')}) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
    grpc::CompletionQueue queue;
    const grpc::Slice slice(bytes);
    const auto call = stub.PrepareUnaryCall(
        &context, "/saliency.v1.SaliencyService/ComputeSaliency",
        grpc::ByteBuffer(&slice, 1), &queue);
    call->StartCall();
    grpc::ByteBuffer response;
    grpc::Status status;
    call->Finish(&response, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    ASSERT_TRUE(queue.Next(&tag, &ok));
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    ExpectFitForCallers(status.error_message());
  }
  ExpectStillServes();
}

}  // namespace
}  // namespace saliency::malformed_inputs_test
