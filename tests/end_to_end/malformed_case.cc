#include "tests/end_to_end/malformed_case.h"

#include "gmock/gmock.h"
#include "tests/end_to_end/model_folder.h"
#include "tests/end_to_end/wire.h"

namespace saliency {
namespace {

ServerEnvironment& environment = UseEmojiModel();

}  // namespace

ServerEnvironment& MalformedServer() { return environment; }

const std::string& SampleJpeg() {
  static const auto* const bytes =
      new std::string(ReadBytes(SampleFolder() + "/dog-tvmonitor.jpg"));
  return *bytes;
}

v1::ComputeSaliencyRequest GoodRequest() {
  v1::ComputeSaliencyRequest request;
  request.mutable_input()->set_image(SampleJpeg());
  *request.add_attributions() = At("norm_grad", {"layer4"});
  request.mutable_output()->set_named_size(v1::NAMED_SIZE_LAYER);
  return request;
}

void ExpectStillServes() {
  const auto response = environment.client().ComputeSaliency(GoodRequest());
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->maps(0).status().code(), 0);
}

TEST_P(MalformedTest, GetsItsCodeAndTheNextRequestWorks) {
  v1::ComputeSaliencyRequest request = GoodRequest();
  GetParam().spoil(request);
  const absl::Status status =
      environment.client().ComputeSaliency(request).status();
  EXPECT_EQ(status.code(), GetParam().code) << status;
  const std::string message(status.message());
  for (const std::string& word : GetParam().words) {
    EXPECT_THAT(message, ::testing::HasSubstr(word));
  }
  ExpectFitForCallers(message);
  ExpectStillServes();
}

std::string CaseName(const ::testing::TestParamInfo<MalformedCase>& test) {
  return test.param.name;
}

v1::Tensor& UseTensor(v1::ComputeSaliencyRequest& request,
                      const std::vector<int64_t>& shape) {
  v1::Tensor& tensor = *request.mutable_input()->mutable_tensor();
  tensor.mutable_shape()->Assign(shape.begin(), shape.end());
  tensor.set_data(std::string(3 * 8 * 8 * sizeof(float), '\0'));
  return tensor;
}

}  // namespace saliency
