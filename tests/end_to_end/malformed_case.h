// Malformed requests of every kind, sent to the real server with the bundled
// model: each gets the code of the error table, a message that names what is
// wrong and nothing of our insides, and does not hurt the next request.

#ifndef SALIENCY_TESTS_END_TO_END_MALFORMED_CASE_H_
#define SALIENCY_TESTS_END_TO_END_MALFORMED_CASE_H_

#include <cstdint>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "saliency/v1/saliency_service.pb.h"
#include "tests/end_to_end/server_environment.h"

namespace saliency {

// The server of the binary.
ServerEnvironment& MalformedServer();

const std::string& SampleJpeg();

// norm_grad at layer4 of a sample image, at the layer's size: answered.
v1::ComputeSaliencyRequest GoodRequest();
void ExpectStillServes();

struct MalformedCase {
  const char* name;
  std::function<void(v1::ComputeSaliencyRequest&)> spoil;  // a good request
  absl::StatusCode code;
  std::vector<std::string> words;  // field, value and limit: in the message

  friend void PrintTo(const MalformedCase& test, std::ostream* out) {
    *out << test.name;
  }
};

// Its one test is in malformed_case.cc; the cases are where they are made.
class MalformedTest : public ::testing::TestWithParam<MalformedCase> {};

std::string CaseName(const ::testing::TestParamInfo<MalformedCase>& test);

// Instead of the image: that shape, and the bytes of 3 x 8 x 8 zeros.
v1::Tensor& UseTensor(v1::ComputeSaliencyRequest& request,
                      const std::vector<int64_t>& shape);

}  // namespace saliency

#endif  // SALIENCY_TESTS_END_TO_END_MALFORMED_CASE_H_
