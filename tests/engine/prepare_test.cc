// What PrepareJob makes of a job, by its model and the engine's limits.

#include "core/engine/plan/prepare.h"

#include <ATen/ATen.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "core/image/render.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/job_parts.h"
#include "tests/support/fakes.h"

namespace saliency::prepare_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string PngOf(int64_t height, int64_t width) {
  return *EncodePng({.height = height,
                     .width = width,
                     .rgb = std::vector<uint8_t>(height * width * 3, 90)});
}

TEST(PrepareTest, UndecodableImageIsInvalid) {
  Job job = FakeJob(1);
  job.input = EncodedImage{.bytes = "no image at all"};
  const absl::Status status =
      PrepareJob(job, FakeModel(), EngineLimits()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("input.image"));
}

TEST(PrepareTest, ImageLimitsAreCheckedFromTheHeader) {
  Job job = FakeJob(1);
  job.input = EncodedImage{.bytes = PngOf(30, 20)};
  EngineLimits limits;
  limits.decode.max_pixels = 599;
  EXPECT_EQ(PrepareJob(job, FakeModel(), limits).status(),
            absl::InvalidArgumentError(
                "input.image is 30 x 20 pixels, of at most 599 in all"));
  limits.decode.max_pixels = 600;
  EXPECT_TRUE(PrepareJob(job, FakeModel(), limits).ok());
  limits.decode.max_bytes = 10;
  EXPECT_THAT(
      std::string(PrepareJob(job, FakeModel(), limits).status().message()),
      HasSubstr("bytes, of at most 10"));
}

TEST(PrepareTest, AllThatIsWrongIsToldAtOnce) {
  Job job = FakeJob(1);
  job.input = EncodedImage{.bytes = "no image at all"};
  job.top_k = 0;
  job.output.smooth_sigma = 2;
  job.output.overlay_opacity = -1;
  job.output.colour_map = "rainbow";
  job.targets = {ClassIndex{99}, Label{"unicorn"}, RankFromTop{-1}};
  job.attributions.front().layers = {"konv", "nrom"};
  job.meta = JobMetaStep{.epsilon = 7};
  const absl::Status status =
      PrepareJob(job, FakeModel(), EngineLimits()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  const std::string message(status.message());
  for (const char* part :
       {"top_k 0 not in", "output.smooth_sigma 2 not in",
        "output.overlay_opacity -1 not in", "rainbow",
        "targets[0].class_index 99 not in", "unicorn",
        "targets[2].rank_from_top -1 not in", "step.epsilon 7 not in",
        "input.image: ", "layer \"konv\" not found; nearest: \"conv\"",
        "layer \"nrom\" not found; nearest: \"norm\""}) {
    EXPECT_THAT(message, HasSubstr(part));
  }
  // Before a place in the queue is taken the same is told.
  EXPECT_EQ(PlanJob(job, FakeModel(), EngineLimits()).status(), status);
}

TEST(PrepareTest, AMissingLayerAmongOthersIsToldWhenTheRequestIsRefused) {
  Job job = FakeJob(1);
  job.attributions.front().layers = {"conv", "konv"};
  EXPECT_TRUE(PrepareJob(job, FakeModel(), EngineLimits()).ok());
  job.top_k = 0;
  const std::string message(
      PrepareJob(job, FakeModel(), EngineLimits()).status().message());
  EXPECT_THAT(message, HasSubstr("2 violations: (1) top_k 0"));
  EXPECT_THAT(message, HasSubstr("layer \"konv\" not found"));
}

TEST(PrepareTest, UnknownColourMapIsNamed) {
  Job job = FakeJob(1);
  job.output.colour_map = "rainbow";
  const absl::Status status =
      PrepareJob(job, FakeModel(), EngineLimits()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("output.colour_map"));
}

TEST(PrepareTest, ALabelIsItsLineNumber) {
  Job job = FakeJob(1);
  job.targets = {Label{"class7"}};
  const PreparedJob prepared =
      PrepareJob(job, FakeModel(), EngineLimits()).value();
  EXPECT_EQ(std::get<ClassIndex>(prepared.item.targets[0]).index, 7);
}

TEST(PrepareTest, ALabelNeedsLabels) {
  ModelMetadata model = FakeModel();
  model.labels.clear();
  Job job = FakeJob(1);
  job.targets = {Label{"class7"}};
  EXPECT_EQ(PrepareJob(job, model, EngineLimits()).status(),
            absl::InvalidArgumentError(
                "targets[0].label \"class7\": the model has no labels"));
}

TEST(PrepareTest, ScalarOutputTakesNoTargets) {
  ModelMetadata model = FakeModel();
  model.num_classes = 1;
  Job job = FakeJob(1);
  job.score = Score::kScalarOutput;
  EXPECT_TRUE(PrepareJob(job, model, EngineLimits()).ok());
  job.targets = {ClassIndex{0}};
  EXPECT_EQ(PrepareJob(job, model, EngineLimits()).status(),
            absl::InvalidArgumentError(
                "targets must be empty with score SCALAR_OUTPUT; there are 1"));
}

TEST(PrepareTest, ALabelOfSeveralClassesIsRefusedWithTheirIndices) {
  ModelMetadata model = FakeModel();
  model.labels = {"ant", "crane", "crane", "dog", "crane",
                  "elk", "dog",   "fox",   "gnu", "hen"};
  const auto message = [&](const std::string& label) {
    Job job = FakeJob(1);
    job.targets = {RankFromTop{}, Label{label}};
    return std::string(
        PrepareJob(job, model, EngineLimits()).status().message());
  };
  EXPECT_EQ(message("crane"),
            "targets[1]: label \"crane\" is that of 3 classes; name one by "
            "class_index: 1, 2, 4");
  EXPECT_THAT(message("dog"), HasSubstr("2 classes; name one by class_index: "
                                        "3, 6"));
  EXPECT_EQ(message("elk"), "");
  model.labels.assign(10, "same");
  model.labels.push_back("same");
  EXPECT_THAT(message("same"), HasSubstr("11 classes; name one by "
                                         "class_index: 0, 1, 2, 3, 4, 5, 6, 7, "
                                         "8, 9, ..."));
}

TEST(PrepareTest, ScoresOfLogitsNeedLogits) {
  const auto status = [](Score score, const OutputMeaning& output) {
    ModelMetadata model = FakeModel();
    model.meaning = output;
    Job job = FakeJob(1);
    job.score = score;
    return PrepareJob(job, model, EngineLimits()).status();
  };
  const OutputMeaning one = {.probabilities = Probabilities::kSigmoid,
                             .one_output = true};
  for (const Score score : {Score::kSoftmax, Score::kLogSoftmax,
                            Score::kSigmoid, Score::kLogSigmoid}) {
    EXPECT_TRUE(status(score, {}).ok());
    for (const Probabilities none :
         {Probabilities::kGiven, Probabilities::kGivenLogs,
          Probabilities::kNone}) {
      EXPECT_THAT(std::string(status(score, {.probabilities = none}).message()),
                  HasSubstr(" needs logits; the model returns "));
      EXPECT_TRUE(status(Score::kLogit, {.probabilities = none}).ok());
    }
    const bool of_one = score == Score::kSigmoid || score == Score::kLogSigmoid;
    EXPECT_EQ(status(score, one).ok(), of_one);
  }
  EXPECT_EQ(status(Score::kSoftmax, one),
            absl::InvalidArgumentError(
                "score SOFTMAX needs two logits or more; the model returns "
                "one, whose probability is its SIGMOID"));
  EXPECT_TRUE(status(Score::kScalarOutput, one).ok());
}

TEST(PrepareTest, NoTargetMeansThePredictedClass) {
  const PreparedJob prepared =
      PrepareJob(FakeJob(1), FakeModel(), EngineLimits()).value();
  ASSERT_EQ(prepared.item.targets.size(), 1);
  EXPECT_EQ(std::get<RankFromTop>(prepared.item.targets[0]).rank, 0);
}

TEST(PrepareTest, NoLayerMeansTheDefaultLayers) {
  Job job = FakeJob(1);
  job.attributions = {At("norm_grad", {})};
  const PreparedJob prepared =
      PrepareJob(job, FakeModel(), EngineLimits()).value();
  ASSERT_EQ(prepared.results.size(), 1);
  EXPECT_EQ(prepared.results[0].layer, "last");
}

TEST(PrepareTest, WhatCannotBeHadCarriesItsStatusAmongWhatCan) {
  Job job = FakeJob(1);
  job.attributions = {At("norm_grad", {"conv", "layer9", "pool"}),
                      At("cam", {"last", "conv"}),
                      At("norm_grad_real_conv", {"conv", "norm"})};
  const PreparedJob prepared =
      PrepareJob(job, FakeModel(), EngineLimits()).value();
  std::vector<absl::StatusCode> codes;
  std::vector<int> slots;
  for (const PlannedResult& result : prepared.results) {
    codes.push_back(result.status.code());
    slots.push_back(result.pass_index);
  }
  using absl::StatusCode;
  EXPECT_THAT(codes, ElementsAre(StatusCode::kOk, StatusCode::kNotFound,
                                 StatusCode::kInvalidArgument, StatusCode::kOk,
                                 StatusCode::kInvalidArgument, StatusCode::kOk,
                                 StatusCode::kInvalidArgument));
  EXPECT_THAT(slots, ElementsAre(0, -1, -1, 1, -1, 2, -1));
  EXPECT_EQ(prepared.item.variants.front().attributions.size(), 3);
}

TEST(PrepareTest, CamNeedsAHead) {
  ModelMetadata model = FakeModel();
  model.head_layers.clear();
  Job job = FakeJob(1);
  job.attributions = {At("cam", {"last"})};
  EXPECT_EQ(PrepareJob(job, model, EngineLimits()).status(),
            absl::InvalidArgumentError(
                "attributions[0]: method \"cam\" needs a linear layer directly "
                "behind global average pooling, which this model does not "
                "have"));
}

TEST(PrepareTest, RowsAreImagesTimesTargets) {
  EngineLimits limits;
  limits.max_rows = 5;
  Job job = FakeJob(1);
  Tensor(job).shape = {2, 3, 8, 4};
  job.targets = {ClassIndex{0}, ClassIndex{1}};
  const PreparedJob prepared = PrepareJob(job, FakeModel(), limits).value();
  EXPECT_EQ(prepared.item.rows(), 4);
  EXPECT_EQ(prepared.images.size(), 2);
  job.targets.push_back(ClassIndex{2});
  EXPECT_EQ(PrepareJob(job, FakeModel(), limits).status(),
            absl::InvalidArgumentError(
                "input.tensor x targets: 2 x 3 rows, of at most 5"));
}

TEST(PrepareTest, MapsTimesPixelsAreBounded) {
  EngineLimits limits;
  limits.max_map_pixels = 2 * 100;
  Job job = FakeJob(1);
  job.output.size = OutputSize::kExplicit;
  job.output.height = 10;
  job.output.width = 10;
  job.targets = {ClassIndex{0}, ClassIndex{1}};
  EXPECT_TRUE(PrepareJob(job, FakeModel(), limits).ok());
  job.targets.push_back(ClassIndex{2});
  EXPECT_EQ(PrepareJob(job, FakeModel(), limits).status(),
            absl::InvalidArgumentError("maps x pixels: 300, of at most 200"));
}

TEST(PrepareTest, TinyMapsOfLargeLayersCountAsTheLayersDo) {
  EngineLimits limits;
  limits.max_map_pixels = 63;
  Job job = FakeJob(1);
  job.attributions = {At("gradient", {"input"})};
  job.output.size = OutputSize::kExplicit;
  job.output.height = 1;
  job.output.width = 1;
  EXPECT_EQ(PrepareJob(job, FakeModel(), limits).status(),
            absl::InvalidArgumentError("maps x pixels: 64, of at most 63"));
}

TEST(PrepareTest, TensorsArriveBitForBit) {
  Job job = FakeJob(1);
  std::vector<float> values(2 * 3 * 4 * 5);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = std::sin(static_cast<float>(i));
  }
  TensorInput input = {.shape = {2, 3, 4, 5}};
  input.data.assign(reinterpret_cast<const char*>(values.data()),
                    values.size() * sizeof(float));
  job.input = input;
  const PreparedJob prepared =
      PrepareJob(job, FakeModel(), EngineLimits()).value();
  EXPECT_EQ(prepared.item.input.sizes(), (std::vector<int64_t>{2, 3, 4, 5}));
  EXPECT_EQ(std::memcmp(prepared.item.input.data_ptr<float>(), values.data(),
                        input.data.size()),
            0);
}

TEST(PrepareTest, MeasuresWhatAJobHolds) {
  Job job = FakeJob(1);
  EXPECT_EQ(MeasureJob(job, FakeModel(), EngineLimits()).value(), 768 * 2);
  const std::string png = PngOf(30, 20);
  job.input = EncodedImage{.bytes = png};
  const auto encoded = static_cast<int64_t>(png.size());
  EXPECT_EQ(MeasureJob(job, FakeModel(), EngineLimits()).value(),
            encoded + 768);
  job.output.encoding = MapEncoding::kOverlayPng;
  EXPECT_EQ(MeasureJob(job, FakeModel(), EngineLimits()).value(),
            encoded + 768 + 30 * 20 * 3);
  job.output.max_side = 16;
  EXPECT_EQ(MeasureJob(job, FakeModel(), EngineLimits()).value(),
            encoded + 768 + 16 * 11 * 3)
      << "as an overlay shows it";
}

TEST(PrepareTest, AJobMayAskForPooledFeaturesAlone) {
  Job job = FakeJob(1);
  job.attributions.clear();
  EXPECT_FALSE(PrepareJob(job, FakeModel(), EngineLimits()).ok());
  job.pooled_layers = {"conv", "input"};
  const PreparedJob prepared =
      PrepareJob(job, FakeModel(), EngineLimits()).value();
  EXPECT_THAT(prepared.item.pooled_layers, ElementsAre("conv", "input"));
  EXPECT_TRUE(prepared.item.variants.front().attributions.empty());
  EXPECT_TRUE(prepared.results.empty());
}

}  // namespace
}  // namespace saliency::prepare_test
