// The faults that PrepareJob refuses a job for, by name.

#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "core/engine/plan/prepare.h"
#include "gtest/gtest.h"
#include "tests/engine/job_parts.h"
#include "tests/support/fakes.h"

namespace saliency::bad_job_test {
namespace {

// What is wrong with a job, and what its caller is told.
struct Bad {
  std::string name;
  std::function<void(Job&)> spoil;
  absl::StatusCode code = absl::StatusCode::kInvalidArgument;
  std::string message;
};

class BadJobTest : public testing::TestWithParam<Bad> {};

TEST_P(BadJobTest, IsRefusedByName) {
  Job job = FakeJob(1);
  GetParam().spoil(job);
  const absl::Status status =
      PrepareJob(job, FakeModel(), EngineLimits()).status();
  EXPECT_EQ(status.code(), GetParam().code);
  EXPECT_EQ(status.message(), GetParam().message);
}

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

INSTANTIATE_TEST_SUITE_P(
    Table, BadJobTest,
    testing::Values(
        Bad{.name = "UnknownPooledLayer",
            .spoil =
                [](Job& job) {
                  job.pooled_layers = {"conv", "konv"};
                },
            .code = absl::StatusCode::kNotFound,
            .message = "pooled_layers[1]: layer \"konv\" not found; nearest: "
                       "\"conv\", \"norm\", \"pool\""},
        Bad{.name = "PooledLayerNotSpatial",
            .spoil = [](Job& job) { job.pooled_layers = {"pool"}; },
            .message = "pooled_layers[0]: layer \"pool\" has shape [8]; maps "
                       "need a spatial layer of shape [K,H,W]"},
        Bad{.name = "ClassIndexTooLarge",
            .spoil =
                [](Job& job) {
                  job.targets = {RankFromTop{}, ClassIndex{1003}};
                },
            .message = "targets[1].class_index 1003 not in [0, 10)"},
        Bad{.name = "ClassIndexNegative",
            .spoil = [](Job& job) { job.targets = {ClassIndex{-1}}; },
            .message = "targets[0].class_index -1 not in [0, 10)"},
        Bad{.name = "RankFromTopTooLarge",
            .spoil = [](Job& job) { job.targets = {RankFromTop{10}}; },
            .message = "targets[0].rank_from_top 10 not in [0, 10)"},
        Bad{.name = "RankFromBottomTooLarge",
            .spoil = [](Job& job) { job.targets = {RankFromBottom{10}}; },
            .message = "targets[0].rank_from_bottom 10 not in [0, 10)"},
        Bad{.name = "UnknownLabel",
            .spoil = [](Job& job) { job.targets = {Label{"clas7"}}; },
            .message = "targets[0]: label \"clas7\" not found; nearest: "
                       "\"class7\", \"class0\", \"class1\""},
        Bad{.name = "TooManyTargets",
            .spoil = [](Job& job) { job.targets.resize(65); },
            .message = "targets: 65 of at most 64"},
        Bad{.name = "ScalarOutputOfAClassifier",
            .spoil = [](Job& job) { job.score = Score::kScalarOutput; },
            .message = "score SCALAR_OUTPUT needs a model with one output; "
                       "this one has 10 classes"},
        Bad{.name = "NoAttribution",
            .spoil = [](Job& job) { job.attributions.clear(); },
            .message = "attributions: 0 not in [1, 64]"},
        Bad{.name = "TooManyAttributions",
            .spoil =
                [](Job& job) {
                  job.attributions.assign(65, At("norm_grad", {"conv"}));
                },
            .message = "attributions: 65 not in [1, 64]"},
        Bad{.name = "TooManyLayers",
            .spoil =
                [](Job& job) {
                  job.attributions = {
                      At("norm_grad", std::vector<std::string>(513, "conv"))};
                },
            .message = "attributions: 513 layers in all, of at most 512"},
        Bad{.name = "LayerTwice",
            .spoil =
                [](Job& job) {
                  job.attributions = {At("norm_grad", {"conv", "last"}),
                                      At("gradient", {"last", "last"})};
                },
            .message = "attributions[1].layers names \"last\" twice"},
        Bad{.name = "OnlyUnknownLayers",
            .spoil =
                [](Job& job) {
                  job.attributions = {At("norm_grad", {"layer9"})};
                },
            .code = absl::StatusCode::kNotFound,
            .message = "attributions[0]: layer \"layer9\" not found; nearest: "
                       "\"last\", \"norm\", \"input\""},
        Bad{.name = "OnlyFlatLayers",
            .spoil =
                [](Job& job) {
                  job.attributions = {At("norm_grad", {"pool"})};
                },
            .message = "attributions[0]: layer \"pool\" has shape [8]; maps "
                       "need a spatial layer of shape [K,H,W]"},
        Bad{.name = "RealConvElsewhere",
            .spoil =
                [](Job& job) {
                  job.attributions = {At("norm_grad_real_conv", {"last"})};
                },
            .message = "attributions[0]: method \"norm_grad_real_conv\" needs "
                       "a 2-d convolution; layer \"last\" is a ReLU"},
        Bad{.name = "CamElsewhere",
            .spoil = [](Job& job) { job.attributions = {At("cam", {"conv"})}; },
            .message = "attributions[0]: method \"cam\" applies only at what "
                       "the global average pool takes (\"last\"), not at "
                       "layer \"conv\""},
        Bad{.name = "TopZero",
            .spoil = [](Job& job) { job.top_k = 0; },
            .message = "top_k 0 not in [1, 100]"},
        Bad{.name = "TopTooLarge",
            .spoil = [](Job& job) { job.top_k = 101; },
            .message = "top_k 101 not in [1, 100]"},
        Bad{.name = "SmoothTooWide",
            .spoil = [](Job& job) { job.output.smooth_sigma = 0.6; },
            .message = "output.smooth_sigma 0.6 not in [0, 0.5]"},
        Bad{.name = "SmoothNotANumber",
            .spoil = [](Job& job) { job.output.smooth_sigma = kNan; },
            .message = "output.smooth_sigma nan not in [0, 0.5]"},
        Bad{.name = "Opacity",
            .spoil = [](Job& job) { job.output.overlay_opacity = -0.5F; },
            .message = "output.overlay_opacity -0.5 not in [0, 1]"},
        Bad{.name = "ExplicitSizeZero",
            .spoil =
                [](Job& job) {
                  job.output.size = OutputSize::kExplicit;
                  job.output.height = 4;
                },
            .message = "output.explicit_size 4 x 0 has a side below 1"},
        Bad{.name = "ExplicitSizeOverflows",
            .spoil =
                [](Job& job) {
                  job.output.size = OutputSize::kExplicit;
                  job.output.height = int64_t{1} << 40;
                  job.output.width = int64_t{1} << 40;
                },
            .message = "output.explicit_size 1099511627776 x 1099511627776 "
                       "has more than 40000000 pixels"},
        Bad{.name = "Png16OfRawMap",
            .spoil =
                [](Job& job) { job.output.encoding = MapEncoding::kPng16; },
            .message = "output.encoding PNG16 needs output.normalise"},
        Bad{.name = "OverlayOfTensor",
            .spoil =
                [](Job& job) {
                  job.output.encoding = MapEncoding::kOverlayPng;
                  job.output.size = OutputSize::kImage;
                },
            .message = "output.encoding OVERLAY_PNG needs input.image, not "
                       "input.tensor"},
        Bad{.name = "OverlayAtLayerSize",
            .spoil =
                [](Job& job) {
                  job.input = EncodedImage{};
                  job.output.encoding = MapEncoding::kOverlayPng;
                },
            .message = "2 violations: (1) output.encoding OVERLAY_PNG needs "
                       "output.named_size IMAGE; (2) input.image: image "
                       "is empty"},
        Bad{.name = "MaxSideTooSmall",
            .spoil =
                [](Job& job) {
                  job.output.size = OutputSize::kImage;
                  job.output.max_side = 15;
                },
            .message = "output.max_side 15 is neither 0 nor in [16, 65535]"},
        Bad{.name = "MaxSideNegative",
            .spoil =
                [](Job& job) {
                  job.output.size = OutputSize::kImage;
                  job.output.max_side = -1;
                },
            .message = "output.max_side -1 is neither 0 nor in [16, 65535]"},
        Bad{.name = "MaxSideOfAnotherSize",
            .spoil = [](Job& job) { job.output.max_side = 100; },
            .message = "output.max_side is for output.named_size IMAGE"},
        Bad{.name = "NegativeAnswer",
            .spoil = [](Job& job) { job.output.max_answer_bytes = -1; },
            .message = "output.max_answer_bytes -1 is below 0"},
        Bad{.name = "TooManyBytes",
            .spoil =
                [](Job& job) {
                  job.output.size = OutputSize::kExplicit;
                  job.output.height = 1080;
                  job.output.width = 1920;
                },
            .message =
                "output: the answer has 8294400 bytes, of at most "
                "4128768 (what gRPC clients receive unless told "
                "otherwise): ask for output.named_size MODEL_INPUT, "
                "output.encoding OVERLAY_JPEG or PNG16, or fewer maps in "
                "one request; a client whose channel receives more says "
                "so in output.max_answer_bytes"},
        Bad{.name = "TooManyBytesForThisCaller",
            .spoil =
                [](Job& job) {
                  job.output.size = OutputSize::kModelInput;
                  job.output.max_answer_bytes = 255;
                },
            .message = "output: the answer has 256 bytes, of at most 255 "
                       "(output.max_answer_bytes): ask for output.named_size "
                       "LAYER, output.encoding PNG16 or NONE, or fewer maps in "
                       "one request; a client whose channel receives more says "
                       "so in output.max_answer_bytes"},
        Bad{.name = "SideAboveTheEncodings",
            .spoil =
                [](Job& job) {
                  job.output.size = OutputSize::kExplicit;
                  job.output.height = 1;
                  job.output.width = 1000001;
                  job.output.encoding = MapEncoding::kColourPng;
                },
            .message =
                "output: a map with a side of 1000001 pixels, of at most "
                "1000000 in a PNG; ask for FLOAT32 or a smaller size"},
        Bad{.name = "TwoSizes",
            .spoil =
                [](Job& job) {
                  Tensor(job).shape = {8, 8};
                },
            .message = "input.tensor.shape has 2 sizes; [3,H,W] or [N,3,H,W] "
                       "is needed"},
        Bad{.name = "FourChannels",
            .spoil =
                [](Job& job) {
                  Tensor(job).shape = {4, 8, 8};
                },
            .message = "input.tensor.shape [4,8,8] is not [3,H,W] or "
                       "[N,3,H,W]"},
        Bad{.name = "NegativeSize",
            .spoil =
                [](Job& job) {
                  Tensor(job).shape = {-1, 3, 8, 8};
                },
            .message = "input.tensor.shape [-1,3,8,8] has a size below 1"},
        Bad{.name = "SizesWhoseProductOverflows",
            .spoil =
                [](Job& job) {
                  Tensor(job).shape = {3, int64_t{1} << 62, int64_t{1} << 62};
                },
            .message = "input.tensor.shape [3,4611686018427387904,"
                       "4611686018427387904] has more than 40000000 pixels "
                       "per image"},
        Bad{.name = "TooManyImages",
            .spoil =
                [](Job& job) {
                  Tensor(job).shape = {int64_t{1} << 62, 3, 8, 8};
                },
            .message = "input.tensor.shape [4611686018427387904,3,8,8] has "
                       "more than 1024 images"},
        Bad{.name = "ByteCount",
            .spoil = [](Job& job) { Tensor(job).data.pop_back(); },
            .message = "input.tensor.data has 767 bytes; shape [3,8,8] needs "
                       "768"},
        Bad{.name = "NotFinite",
            .spoil =
                [](Job& job) {
                  std::memcpy(&Tensor(job).data[4 * 100], &kNan, sizeof(kNan));
                },
            .message = "input.tensor.data: value 100 of 192 is not finite"}),
    [](const auto& test) { return test.param.name; });

TEST(BadLayerTest, ALayerWithoutMapsIsRefusedWithItsReason) {
  ModelMetadata model = FakeModel();
  model.layers[1].no_maps_because = "it has 4 entries for 1 image";
  Job job = FakeJob(1);
  EXPECT_EQ(PrepareJob(job, model, EngineLimits()).status().message(),
            "attributions[0]: there are no maps of layer \"conv\": it has 4 "
            "entries for 1 image");
}

}  // namespace
}  // namespace saliency::bad_job_test
