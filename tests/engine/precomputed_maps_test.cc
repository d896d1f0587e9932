#include "core/engine/finish/precomputed_maps.h"

#include <cstring>
#include <functional>
#include <limits>
#include <string>

#include "core/engine/engine.h"
#include "core/image/render.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fakes.h"

namespace saliency::precomputed_maps_test {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::FloatEq;
using testing::HasSubstr;

std::string Bytes(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()),
          values.size() * sizeof(float)};
}

std::vector<float> Floats(const std::string& bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

GivenMap Given(const std::string& layer, int64_t height, int64_t width,
               const std::vector<float>& values) {
  return {
      .layer = layer, .height = height, .width = width, .data = Bytes(values)};
}

// Two maps of 2 x 2 and their plain mean.
Job MapsJob() {
  Job job;
  job.input = PrecomputedMaps{.maps = {Given("early", 2, 2, {0, 1, 2, 4}),
                                       Given("late", 2, 2, {7, 6, 6, 5})}};
  job.combinations = {JobCombination()};
  return job;
}

PrecomputedMaps& MapsOf(Job& job) {
  return std::get<PrecomputedMaps>(job.input);
}

absl::StatusOr<Explanation> Answer(const Job& job) {
  const absl::Status measured = MeasureGivenMaps(job, EngineLimits()).status();
  if (!measured.ok()) return measured;
  return CombineGivenMaps(job, EngineLimits());
}

TEST(PrecomputedMapsTest, CombinesThemInTheOrderGiven) {
  Job job = MapsJob();
  job.combinations[0].weighting = Weighting::kLinear;
  const Explanation answer = Answer(job).value();
  ASSERT_EQ(answer.combined.size(), 1);
  const CombinedResult& result = answer.combined[0];
  EXPECT_THAT(Floats(result.map.data),
              ElementsAre(FloatEq(2.0F / 3), FloatEq(0.25F / 3 + 1.0F / 3),
                          FloatEq(0.5F), FloatEq(1.0F / 3)));
  EXPECT_EQ(result.shares[0].layer, "early");
  EXPECT_EQ(result.map.method, "");
  EXPECT_EQ(answer.model, "");
  EXPECT_TRUE(answer.images.empty());
}

TEST(PrecomputedMapsTest, TheLargestMapGivesTheSize) {
  Job job = MapsJob();
  MapsOf(job).maps.push_back(Given("fine", 2, 3, {0, 1, 2, 3, 4, 5}));
  const MapResult map = Answer(job).value().combined[0].map;
  EXPECT_EQ(map.height, 2);
  EXPECT_EQ(map.width, 3);
  job.output = {.size = OutputSize::kExplicit, .height = 5, .width = 7};
  EXPECT_EQ(Answer(job).value().combined[0].map.width, 7);
}

TEST(PrecomputedMapsTest, AnImageGivesTheSizeAndServesOverlays) {
  Job job = MapsJob();
  MapsOf(job).image = *EncodePng(
      {.height = 40, .width = 60, .rgb = std::vector<uint8_t>(7200, 90)});
  job.output.encoding = MapEncoding::kOverlayPng;
  job.output.overlay_title = false;
  const MapResult map = Answer(job).value().combined[0].map;
  EXPECT_EQ(map.height, 40);
  EXPECT_EQ(ReadImageHeader(map.data)->width, 60);
}

TEST(PrecomputedMapsTest, OverlaysStayWithinASide) {
  Job job = MapsJob();
  MapsOf(job).image = *EncodePng(
      {.height = 40, .width = 60, .rgb = std::vector<uint8_t>(7200, 90)});
  job.output.encoding = MapEncoding::kOverlayJpeg;
  job.output.overlay_title = false;
  job.output.overlay_colour_bar = false;
  job.output.max_side = 30;
  const MapResult map = Answer(job).value().combined[0].map;
  EXPECT_EQ(map.height, 20);
  EXPECT_EQ(ReadImageHeader(map.data)->width, 30);
  EXPECT_EQ(ReadImageHeader(map.data)->format, ImageFormat::kJpeg);
}

TEST(PrecomputedMapsTest, LayerMapsComeBackWhenAskedFor) {
  Job job = MapsJob();
  job.layer_maps = true;
  const Explanation answer = Answer(job).value();
  ASSERT_EQ(answer.layer_maps.size(), 2);
  EXPECT_EQ(answer.layer_maps[1].layer, "late");
  EXPECT_THAT(Floats(answer.layer_maps[1].data), ElementsAre(1, .5, .5, 0));
}

TEST(PrecomputedMapsTest, AnUnknownNameFailsItsCombinationAlone) {
  Job job = MapsJob();
  job.combinations.push_back({.layers = {"early", "lte"}});
  const Explanation answer = Answer(job).value();
  EXPECT_TRUE(answer.combined[0].map.status.ok());
  EXPECT_EQ(answer.combined[1].map.status,
            absl::NotFoundError("map of layer \"lte\" not found; nearest: "
                                "\"late\", \"early\""));
}

struct Bad {
  std::string name;
  std::function<void(Job&)> spoil;
  std::string message;
};

class BadGivenMapsTest : public testing::TestWithParam<Bad> {};

TEST_P(BadGivenMapsTest, IsRefusedByName) {
  Job job = MapsJob();
  GetParam().spoil(job);
  EXPECT_EQ(Answer(job).status(),
            absl::InvalidArgumentError(GetParam().message));
}

constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

INSTANTIATE_TEST_SUITE_P(
    Table, BadGivenMapsTest,
    testing::Values(
        Bad{"NoMaps", [](Job& job) { MapsOf(job).maps.clear(); },
            "maps.maps: 0 not in [1, 512]"},
        Bad{"NoName", [](Job& job) { MapsOf(job).maps[1].layer = ""; },
            "maps.maps[1].layer is empty"},
        Bad{"SameName", [](Job& job) { MapsOf(job).maps[1].layer = "early"; },
            "maps.maps[1].layer \"early\" is there already"},
        Bad{"NoRows", [](Job& job) { MapsOf(job).maps[0].height = 0; },
            "maps.maps[0].values.shape [0,2] has a size below 1"},
        Bad{"SizesThatOverflow",
            [](Job& job) {
              MapsOf(job).maps[0].height = kHuge;
              MapsOf(job).maps[0].width = 4;
            },
            "maps.maps[0].values.shape [9223372036854775807,4] has more than "
            "40000000 pixels"},
        Bad{"DataTooShort",
            [](Job& job) { MapsOf(job).maps[0].data.pop_back(); },
            "maps.maps[0].values.data has 15 bytes; shape [2,2] needs 16"},
        Bad{"NotFinite",
            [](Job& job) {
              MapsOf(job).maps[1] = Given("late", 2, 2, {0, 1, kInfinity, 2});
            },
            "maps.maps[1].values.data: value 2 of 4 is not finite"},
        Bad{"CalibratedWeighting",
            [](Job& job) {
              job.combinations[0].weighting = Weighting::kFeatureSpread;
            },
            "combinations[0].weighting FEATURE_SPREAD needs a model; maps take "
            "UNIFORM, LINEAR or EXPLICIT"},
        Bad{"ModelInputSize",
            [](Job& job) { job.output.size = OutputSize::kModelInput; },
            "output.named_size MODEL_INPUT needs a model"},
        Bad{"OverlayWithoutImage",
            [](Job& job) { job.output.encoding = MapEncoding::kOverlayPng; },
            "output.encoding OVERLAY_PNG needs maps.image"},
        Bad{"TooManyPixels",
            [](Job& job) {
              job.output.size = OutputSize::kExplicit;
              job.output.height = job.output.width = 6500;
            },
            "output.explicit_size 6500 x 6500 has more than 40000000 pixels"}),
    [](const auto& test) { return test.param.name; });

TEST(PrecomputedMapsTest, GarbageForAnImageIsRefused) {
  Job job = MapsJob();
  MapsOf(job).image = "garbage";
  EXPECT_EQ(Answer(job).status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(Answer(job).status().message(), HasSubstr("maps.image: "));
}

class PrecomputedMapsEngineTest : public testing::Test {
 protected:
  FakeClock clock_;
  RecordingObserver observer_;
  Answers answers_{2};
};

TEST_F(PrecomputedMapsEngineTest, AnEngineWithoutModelsAnswers) {
  Engine engine({}, clock_, observer_);
  engine.Submit(MapsJob(), answers_.For(0));
  answers_.Await(0);
  const Explanation answer = answers_.of(0).value();
  EXPECT_EQ(answer.combined[0].map.height, 2);
  engine.Drain(absl::InfiniteFuture());
  EXPECT_EQ(engine.load().in_flight, 0);
  EXPECT_EQ(engine.load().queued_items, 0);
}

TEST_F(PrecomputedMapsEngineTest, TheQueuesBoundsHold) {
  const JobCost cost = CostOfGivenMaps(MapsJob(), EngineLimits()).value();
  EXPECT_EQ(cost.input_bytes, 64);
  const int64_t bytes = cost.input_bytes + cost.answer_bytes;
  Engine engine({.limits = {.queue_bytes = bytes - 1}}, clock_, observer_);
  engine.Submit(MapsJob(), answers_.For(0));
  answers_.Await(0);
  EXPECT_EQ(answers_.of(0).status().code(), StatusCode::kResourceExhausted);
  Engine roomy({.limits = {.queue_bytes = bytes}}, clock_, observer_);
  roomy.Submit(MapsJob(), answers_.For(1));
  answers_.Await(1);
  EXPECT_TRUE(answers_.of(1).ok()) << answers_.of(1).status();
}

TEST_F(PrecomputedMapsEngineTest, DeadlineCancellationAndDrainAreAnswered) {
  Engine engine({}, clock_, observer_);
  Job late = MapsJob();
  late.deadline = clock_.Now();
  engine.Submit(std::move(late), answers_.For(0));
  EXPECT_EQ(answers_.of(0).status().code(), StatusCode::kDeadlineExceeded);
  engine.Drain(absl::InfiniteFuture());
  engine.Submit(MapsJob(), answers_.For(1));
  EXPECT_EQ(answers_.of(1).status().code(), StatusCode::kUnavailable);
}

}  // namespace
}  // namespace saliency::precomputed_maps_test
