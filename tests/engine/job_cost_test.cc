#include "core/engine/plan/job_cost.h"

#include <string>
#include <vector>

#include "core/engine/plan/prepare.h"
#include "core/engine/refusal.h"
#include "core/image/render.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fakes.h"

namespace saliency::job_cost_test {
namespace {

using testing::HasSubstr;

absl::StatusOr<JobCost> Cost(const Job& job, const EngineLimits& limits = {}) {
  const absl::StatusOr<JobPlan> plan = PlanJob(job, FakeModel(), limits);
  if (!plan.ok()) return plan.status();
  return plan->cost;
}

// One map of so many pixels.
Job JobOf(int64_t height, int64_t width) {
  Job job = FakeJob(1);
  job.output.size = OutputSize::kExplicit;
  job.output.height = height;
  job.output.width = width;
  job.output.max_answer_bytes = int64_t{1} << 40;
  return job;
}

TEST(JobCostTest, AnAnswerIsHeldAsAMessageAndAsItIsSent) {
  const JobCost cost = Cost(JobOf(1000, 1000)).value();
  EXPECT_EQ(cost.input_bytes, 2 * 768);
  EXPECT_GE(cost.answer_bytes, 2 * 4'000'000);
  EXPECT_LE(cost.answer_bytes, 2 * 4'000'000 + 4096);
}

TEST(JobCostTest, AMapThatIsNotHandedOutTakesNextToNothing) {
  Job job = JobOf(1000, 1000);
  job.output.encoding = MapEncoding::kNone;
  EXPECT_LE(Cost(job)->answer_bytes, 4096);
  EXPECT_GE(Cost(job)->render_scratch_bytes, 4'000'000);
}

TEST(JobCostTest, EveryRowAndLayerCounts) {
  Job job = JobOf(1000, 1000);
  const double one = Cost(job)->answer_bytes;
  job.targets = {ClassIndex{0}, ClassIndex{1}, ClassIndex{2}};
  EXPECT_NEAR(Cost(job)->answer_bytes / one, 3, 0.01);
  job.attributions[0].layers = {"conv", "last"};
  EXPECT_NEAR(Cost(job)->answer_bytes / one, 6, 0.01);
  job.meta = JobMetaStep();
  EXPECT_NEAR(Cost(job)->answer_bytes / one, 6, 0.01);
  job.plain_maps = true;
  EXPECT_NEAR(Cost(job)->answer_bytes / one, 12, 0.01);
}

// The bound holds for what is made in the end, whatever the encoding.
TEST(JobCostTest, NoEncodingBringsMoreThanWasReserved) {
  const int64_t height = 200;
  const int64_t width = 300;
  std::vector<float> noise(height * width);
  unsigned state = 1;
  for (float& value : noise) {
    state = state * 1664525 + 1013904223;
    value = static_cast<float>(state >> 8) / 16777216.0F;
  }
  const MapView map = {.height = height, .width = width, .values = noise};
  const auto reserved = [&](MapEncoding encoding) {
    Job job = JobOf(height, width);
    job.output.encoding = encoding;
    job.output.normalise = true;
    return static_cast<std::size_t>(Cost(job)->answer_bytes / 2);
  };
  EXPECT_LE(EncodeFloat32(map).size(), reserved(MapEncoding::kFloat32));
  EXPECT_LE(EncodePng16(map)->size(), reserved(MapEncoding::kPng16));
  EXPECT_LE(EncodeColourPng(map, {})->size(),
            reserved(MapEncoding::kColourPng));
}

TEST(JobCostTest, WorkGrowsWithWhatIsDoneToAPixel) {
  Job job = JobOf(1000, 1000);
  const double plain = Cost(job)->work;
  job.output.smooth_sigma = 0.1;
  const double smoothed = Cost(job)->work;
  EXPECT_NEAR(smoothed - plain, 2e6, 1e3);
  job.output.encoding = MapEncoding::kColourPng;
  EXPECT_NEAR(Cost(job)->work - smoothed, 5e6, 1e3);
  job.meta = JobMetaStep();
  const double stepped = Cost(job)->work;
  job.correlate = Correlate::kPlain;
  EXPECT_GE(Cost(job)->work - stepped, 16e6);
}

TEST(JobCostTest, MoreWorkThanTheLimitIsRefusedNamingBoth) {
  Job job = JobOf(1000, 1000);
  job.output.smooth_sigma = 0.5;
  job.output.encoding = MapEncoding::kColourPng;
  EngineLimits limits;
  limits.max_work = 8'000'000;
  const absl::Status refused = Cost(job, limits).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("8000064 pixels of work, of at most 8000000"));
  limits.max_work = 8'000'064;
  EXPECT_TRUE(Cost(job, limits).ok());
}

// Everything that is allowed by default can be served by default.
TEST(JobCostTest, TheLargestMapFitsTheDefaultLimits) {
  Job job = JobOf(8000, 5000);
  job.output.smooth_sigma = 0.5;
  for (const MapEncoding encoding :
       {MapEncoding::kFloat32, MapEncoding::kColourPng}) {
    job.output.encoding = encoding;
    const JobCost cost = Cost(job).value();
    EXPECT_LE(cost.input_bytes + cost.answer_bytes, EngineLimits().queue_bytes);
  }
}

TEST(JobCostTest, SidesThatNoEncoderKnowsAreRefusedByUs) {
  for (const MapEncoding encoding :
       {MapEncoding::kPng16, MapEncoding::kColourPng}) {
    for (const bool is_wide : {false, true}) {
      Job job = is_wide ? JobOf(1, 1'000'000) : JobOf(1'000'000, 1);
      job.output.normalise = true;
      job.output.encoding = encoding;
      EXPECT_TRUE(Cost(job).ok()) << Cost(job).status();
      (is_wide ? job.output.width : job.output.height) += 1;
      EXPECT_EQ(Cost(job).status(),
                absl::InvalidArgumentError(
                    "output: a map with a side of 1000001 pixels, of at most "
                    "1000000 in a PNG; ask for FLOAT32 or a smaller size"));
      job.output.encoding = MapEncoding::kFloat32;
      EXPECT_TRUE(Cost(job).ok()) << Cost(job).status();
    }
  }
}

TEST(JobCostTest, AnImagesSideCountsTooAndTheBandsOfAnOverlay) {
  // A BMP of one bit a pixel, whose header is looked at alone.
  const auto header = [](uint32_t width) {
    std::string bytes(62, '\0');
    const auto put = [&](std::size_t at, uint32_t value) {
      for (int i = 0; i < 4; ++i) {
        bytes[at + i] = static_cast<char>(value >> (8 * i));
      }
    };
    bytes[0] = 'B';
    bytes[1] = 'M';
    put(10, 62);
    put(14, 40);
    put(18, width);
    put(22, 1);
    bytes[26] = 1;
    bytes[28] = 1;
    bytes.resize(62 + (width + 31) / 32 * 4);
    put(2, static_cast<uint32_t>(bytes.size()));
    return bytes;
  };
  Job job = FakeJob(1);
  job.output.normalise = true;
  job.output.size = OutputSize::kImage;
  job.output.max_side = 0;  // as it is
  const auto status = [&](uint32_t width, MapEncoding encoding) {
    job.input = EncodedImage{.bytes = header(width)};
    job.output.encoding = encoding;
    return Cost(job).status();
  };
  EXPECT_TRUE(status(1'000'000, MapEncoding::kPng16).ok());
  EXPECT_FALSE(status(1'000'001, MapEncoding::kPng16).ok());
  EXPECT_TRUE(status(1'000'001, MapEncoding::kFloat32).ok());
  EXPECT_FALSE(status(1'000'000, MapEncoding::kOverlayPng).ok());
  EXPECT_TRUE(status(1'000'000 - 2 * 72, MapEncoding::kOverlayPng).ok());
}

}  // namespace
}  // namespace saliency::job_cost_test
