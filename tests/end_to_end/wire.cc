#include "tests/end_to_end/wire.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>

#include "absl/strings/match.h"
#include "gtest/gtest.h"

namespace saliency {

std::string ReadBytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

std::unique_ptr<SaliencyClient> ClientOf(const ServerProcess& server) {
  ClientOptions options;
  options.channel.servers = {server.address()};
  options.channel.retry.max_attempts = 1;
  options.timeout = kPatience;
  return SaliencyClient::Connect(std::move(options)).value();
}

v1::Input ImageInput(const std::string& path) {
  v1::Input input;
  input.set_image(ReadBytes(path));
  return input;
}

v1::Input RandomTensor(int seed, const ImageSize& size) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(3 * size.height * size.width);
  for (float& value : values) value = normal(random);
  v1::Input input;
  v1::Tensor& tensor = *input.mutable_tensor();
  for (const int side : {3, size.height, size.width}) tensor.add_shape(side);
  tensor.set_data(values.data(), values.size() * sizeof(float));
  return input;
}

v1::Attribution At(const std::string& method,
                   const std::vector<std::string>& layers) {
  v1::Attribution attribution;
  attribution.set_method(method);
  attribution.mutable_layers()->Assign(layers.begin(), layers.end());
  return attribution;
}

v1::Target ClassIndexTarget(int index) {
  v1::Target target;
  target.set_class_index(index);
  return target;
}

v1::Target LabelTarget(const std::string& label) {
  v1::Target target;
  target.set_label(label);
  return target;
}

std::vector<float> Floats(const std::string& data) {
  std::vector<float> values(data.size() / sizeof(float));
  std::memcpy(values.data(), data.data(), values.size() * sizeof(float));
  return values;
}

void ExpectSameMap(const v1::SaliencyMap& actual,
                   const v1::SaliencyMap& expected, float tolerance) {
  ASSERT_EQ(actual.status().code(), 0) << actual.status().message();
  ASSERT_EQ(expected.status().code(), 0) << expected.status().message();
  EXPECT_EQ(actual.method(), expected.method());
  EXPECT_EQ(actual.layer(), expected.layer());
  EXPECT_EQ(actual.explained_class().class_index(),
            expected.explained_class().class_index());
  EXPECT_EQ(actual.height(), expected.height());
  EXPECT_EQ(actual.width(), expected.width());
  EXPECT_EQ(actual.encoding(), expected.encoding());
  ASSERT_EQ(actual.encoding(), v1::MAP_ENCODING_FLOAT32);
  const std::vector<float> a = Floats(actual.data());
  const std::vector<float> b = Floats(expected.data());
  ASSERT_EQ(a.size(), b.size());
  ASSERT_FALSE(a.empty());
  float largest = 0;
  for (const float value : b) largest = std::max(largest, std::fabs(value));
  size_t worst = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::fabs(a[i] - b[i]) > std::fabs(a[worst] - b[worst])) worst = i;
  }
  EXPECT_NEAR(a[worst], b[worst], tolerance * largest)
      << actual.method() << " at " << actual.layer() << ", worst at " << worst;
}

void ExpectFitForCallers(const std::string& message) {
  EXPECT_FALSE(message.empty());
  for (const char* word :
       {"c10",    "torch::", "at::",     "aten",     "cv::",    "OpenCV",
        "opencv", ".cpp",    ".cc:",     ".h:",      "/tmp",    "/usr",
        "/work",  "/home",   "model.pt", "xception", "frame #", "what()",
        "std::",  "0x",      "\n"}) {
    EXPECT_FALSE(absl::StrContains(message, word))
        << "\"" << word << "\" in: " << message;
  }
}

}  // namespace saliency
