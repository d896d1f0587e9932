#include "server/calibration/layer_weights_store.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/convert/layer_weights_text.h"
#include "tests/server/temporary_folder.h"
#include "tests/server/test_server.h"

namespace saliency::layer_weights_store_test {
namespace {

class LayerWeightsStoreTest : public testing::Test {
 protected:
  LayerWeightsStoreTest() {
    version_ = {.model = "fake",
                .version = 1,
                .metadata = std::make_shared<const ModelMetadata>(FakeModel()),
                .sha256 = "aa",
                .folder = folder_.path()};
    models_.Publish(version_, NoWorkers());
    models_.MarkListed();
  }

  LayerWeightsStore Store() { return {models_, log_}; }
  static LayerWeights Weights(const std::string& data) {
    return {.layers = {{.layer = "conv", .feature_spread = 0.5}}, .data = data};
  }
  std::string Stored() const {
    std::ifstream file(folder_ / "layer_weights.pbtxt");
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const auto weights = ParseLayerWeightsText(text);
    return weights.ok() ? weights->data : text;
  }
  std::string Shown() const {
    return models_.FindReady("fake", 1).value()->metadata->layer_weights.data;
  }
  int FilesInFolder() const {
    return static_cast<int>(
        std::distance(std::filesystem::directory_iterator(folder_.path()), {}));
  }

  const TemporaryFolder folder_;
  LogLines lines_;
  Log log_{LogFormat::kText, LogLevel::kInfo, lines_.Sink()};
  ModelTable models_;
  ModelVersion version_;
};

TEST_F(LayerWeightsStoreTest, WritesUsesAndShows) {
  folder_.Write("layer_weights.pbtxt", "old");
  ASSERT_TRUE(Store().Store(version_, Weights("new")).ok());
  EXPECT_EQ(Stored(), "new");
  EXPECT_EQ(Shown(), "new");
  EXPECT_EQ(FilesInFolder(), 1) << "no temporary file remains";
}

// A server that was killed while it wrote.
TEST_F(LayerWeightsStoreTest, LeftoversOfAKilledServerAreNoObstacle) {
  const std::string leftover =
      "layer_weights.pbtxt." + std::to_string(getpid()) + ".0.part";
  folder_.Write(leftover, "half a fi");
  ASSERT_TRUE(Store().Store(version_, Weights("new")).ok());
  EXPECT_EQ(Stored(), "new");
  EXPECT_EQ(FilesInFolder(), 2);
}

TEST_F(LayerWeightsStoreTest, WhatCannotBeWrittenIsNotUsed) {
  // A folder of that name cannot be replaced by a file, not even by root.
  folder_.Write("layer_weights.pbtxt/in-the-way", "");
  const absl::Status status = Store().Store(version_, Weights("new"));
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              testing::Not(testing::HasSubstr(folder_.path())));
  EXPECT_EQ(Shown(), "");
  EXPECT_EQ(FilesInFolder(), 1) << "no temporary file remains";
  EXPECT_THAT(lines_.all().back(), testing::HasSubstr("not stored"));
}

TEST_F(LayerWeightsStoreTest, AnotherFileThanWasMeasuredGetsNothing) {
  ModelVersion other = version_;
  other.sha256 = "bb";
  models_.Publish(other, NoWorkers());
  EXPECT_EQ(Store().Store(version_, Weights("new")).code(),
            absl::StatusCode::kAborted);
  EXPECT_EQ(FilesInFolder(), 0);
  EXPECT_EQ(Shown(), "");
}

}  // namespace
}  // namespace saliency::layer_weights_store_test
