// The files that `explain` writes: overlays, numbers, and a folder of them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "client/cli/npy.h"
#include "core/image/image.h"
#include "tests/client/explain_fixture.h"
#include "tests/client/made_answers.h"

namespace saliency::explain_files_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

using ExplainFilesTest = ExplainFixture;

TEST_F(ExplainFilesTest, OverlayIsTheImageWithATitleAbove) {
  const FakeServer server;
  const std::string cat = folder_.AddImage("large.png", 120, 160);
  const std::string out = folder_.path("overlay.png");
  const RunResult result = Explain(server, {cat, "--overlay", out});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("-> " + out));
  const absl::StatusOr<Image> overlay =
      DecodeImage(ReadAll(out), DecodeLimits());
  ASSERT_TRUE(overlay.ok()) << overlay.status();
  EXPECT_EQ(overlay->width, 160);
  EXPECT_GT(overlay->height, 120);
}

// A photograph of 18 megapixels is drawn at the size that it is looked at.
TEST_F(ExplainFilesTest, ImagesAreAskedForWithinASide) {
  const FakeServer server;
  const std::string jpg = folder_.path("overlay.jpg");
  ASSERT_EQ(Explain(server, {cat_, "--overlay", jpg}).exit_code, 0);
  ASSERT_EQ(Explain(server, {cat_, "--max-side", "0"}).exit_code, 0);
  ASSERT_EQ(Explain(server, {cat_, "--size", "input"}).exit_code, 0);
  EXPECT_EQ(server.requests()[0].output().max_side(), 1600);
  EXPECT_TRUE(server.requests()[1].output().has_max_side());
  EXPECT_EQ(server.requests()[1].output().max_side(), 0);
  EXPECT_FALSE(server.requests()[2].output().has_max_side());
  EXPECT_EQ(ReadImageHeader(ReadAll(jpg))->format, ImageFormat::kJpeg);
  EXPECT_EQ(Explain(server, {cat_, "--max-side", "7"}).exit_code, 2);
}

// The map comes smaller than the image: the image goes with it.
TEST_F(ExplainFilesTest, TheOverlayHasTheMapsSize) {
  const FakeServer server(
      [](auto&, v1::ComputeSaliencyRequest request, auto& response) {
        request.mutable_output()->mutable_explicit_size()->set_height(60);
        request.mutable_output()->mutable_explicit_size()->set_width(80);
        return AnswerWithRamps(request, response);
      });
  const std::string large = folder_.AddImage("large.png", 120, 160);
  const std::string out = folder_.path("out");
  ASSERT_EQ(Explain(server, {large, "-o", out, "--save", "webp"}).exit_code, 0);
  const std::string file =
      ReadAll(out + "/large_281-tabby_norm_grad_layer4.webp");
  EXPECT_EQ(ReadImageHeader(file)->format, ImageFormat::kWebp);
  EXPECT_EQ(ReadImageHeader(file)->width, 80);
  EXPECT_GT(ReadImageHeader(file)->height, 60) << "with its bands";
  EXPECT_EQ(
      Explain(server, {large, "-o", out, "--save", "webp", "--save", "png"})
          .exit_code,
      2);
}

// What the channel of the command line receives is told in the request.
TEST_F(ExplainFilesTest, NpyHoldsTheServersNumbers) {
  const FakeServer server;
  const std::string out = folder_.path("map.npy");
  ASSERT_EQ(Explain(server, {cat_, "--npy", out}).exit_code, 0);
  EXPECT_EQ(ReadAll(out), EncodeNpy(6, 9, RampMap(6, 9)));
}

TEST_F(ExplainFilesTest, NpyOfSeveralResultsIsAStack) {
  const FakeServer server;
  const std::string out = folder_.path("map.npy");
  const RunResult result =
      Explain(server, {cat_, cat_, "-t", "1", "-t", "2", "--npy", out});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(ReadAll(out), StartsWith(NpyHeader({4, 6, 9})));
}

TEST_F(ExplainFilesTest, NpyOfDifferentSizesIsRefusedWithAdvice) {
  const FakeServer server;
  const std::string dog = folder_.AddImage("dog.png", 5, 5);
  const std::string out = folder_.path("map.npy");
  const RunResult result = Explain(server, {cat_, dog, "--npy", out});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err, HasSubstr("6x9 and 5x5 cannot be stacked"));
  EXPECT_FALSE(std::filesystem::exists(out));
  EXPECT_EQ(
      Explain(server, {cat_, dog, "--npy", out, "--size", "layer"}).exit_code,
      0);
}

TEST_F(ExplainFilesTest, OutDirNamesFilesByImageClassMethodLayer) {
  const FakeServer server;
  const std::string out = folder_.path("out/deep");
  const RunResult result =
      Explain(server, {cat_, "-l", "layer1.0.relu#2", "-m", "norm_grad", "-m",
                       "conv1x1+norm", "-t", "top", "-t", "281", "-o", out,
                       "--save", "npy"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(FilesIn(out),
              ElementsAre("cat_281-tabby_conv1x1+norm_layer1.0.relu#2-2.npy",
                          "cat_281-tabby_conv1x1+norm_layer1.0.relu#2.npy",
                          "cat_281-tabby_norm_grad_layer1.0.relu#2-2.npy",
                          "cat_281-tabby_norm_grad_layer1.0.relu#2.npy"));
}

TEST_F(ExplainFilesTest, OutDirHoldsOverlaysUnlessToldOtherwise) {
  const FakeServer server;
  const std::string out = folder_.path("out");
  ASSERT_EQ(Explain(server, {cat_, "-o", out, "--raw"}).exit_code, 0);
  ASSERT_EQ(Explain(server, {cat_, "-o", out, "-l", "a", "--size", "layer"})
                .exit_code,
            0);
  EXPECT_THAT(FilesIn(out), ElementsAre("cat_281-tabby_norm_grad_a.png",
                                        "cat_281-tabby_norm_grad_layer4.png"));
  const Image map = DecodeImage(ReadAll(out + "/cat_281-tabby_norm_grad_a.png"),
                                DecodeLimits())
                        .value();
  EXPECT_EQ(map.height, 7) << "the map alone, at the layer's size";
  EXPECT_EQ(map.width, 7);
}

}  // namespace
}  // namespace saliency::explain_files_test
