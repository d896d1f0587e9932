// LibTorch, OpenCV and gRPC all bring protobuf: two copies in one process would
// register the same descriptors twice and abort, or worse, not abort.

#include <fstream>
#include <set>
#include <string>

#include "gtest/gtest.h"

namespace saliency::one_protobuf_test {
namespace {

TEST(OneProtobufTest, ExactlyOneLibprotobufIsLoaded) {
  std::ifstream maps("/proc/self/maps");
  ASSERT_TRUE(maps);
  std::set<std::string> libraries;
  for (std::string line; std::getline(maps, line);) {
    if (line.find("libprotobuf.so") != std::string::npos) {
      libraries.insert(line.substr(line.find('/')));
    }
  }
  EXPECT_EQ(libraries.size(), 1);
}

}  // namespace
}  // namespace saliency::one_protobuf_test
