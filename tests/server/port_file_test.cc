#include "server/port_file.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "gtest/gtest.h"
#include "tests/server/temporary_folder.h"

namespace saliency::port_file_test {
namespace {

TEST(PortFileTest, HoldsTheBoundPortsAndLeavesNothingElse) {
  TemporaryFolder folder;
  folder.Write("ports", "old");
  ASSERT_TRUE(WritePortFile(folder / "ports", {.grpc = 5, .metrics = 6}).ok());
  std::ifstream file(folder / "ports");
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  EXPECT_EQ(text, "grpc=5\nmetrics=6\n");
  const std::filesystem::directory_iterator entries(folder.path());
  EXPECT_EQ(std::distance(begin(entries), end(entries)), 1);
}

TEST(PortFileTest, AFolderThatIsNotThereIsAnError) {
  EXPECT_EQ(WritePortFile("/no/such/folder/ports", {}).code(),
            absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace saliency::port_file_test
