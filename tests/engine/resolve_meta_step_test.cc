#include "core/engine/plan/resolve_meta_step.h"

#include <limits>

#include "core/engine/plan/prepare.h"
#include "gtest/gtest.h"
#include "tests/support/fakes.h"

namespace saliency::resolve_meta_step_test {
namespace {

absl::Status StatusOf(const Job& job,
                      const ModelMetadata& model = FakeModel()) {
  return PrepareJob(job, model, EngineLimits()).status();
}

Job SteppedJob(double epsilon = 0.001) {
  Job job = FakeJob(1);
  job.meta = JobMetaStep{.epsilon = epsilon};
  return job;
}

TEST(ResolveMetaStepTest, AnEpsilonOutOfRangeIsRefusedByNameValueAndLimit) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const std::pair<double, std::string> cases[] = {{-0.5, "-0.5"},
                                                  {1.25, "1.25"},
                                                  {kNan, "nan"},
                                                  {kInfinity, "inf"},
                                                  {-kInfinity, "-inf"}};
  for (const auto& [epsilon, text] : cases) {
    EXPECT_EQ(
        StatusOf(SteppedJob(epsilon)),
        absl::InvalidArgumentError("step.epsilon " + text + " not in [0, 1]"));
  }
  for (const double epsilon : {0.0, 1.0, 1e-300}) {
    EXPECT_TRUE(StatusOf(SteppedJob(epsilon)).ok()) << epsilon;
  }
}

TEST(ResolveMetaStepTest, TheLossIsTheModelsUnlessAnotherIsAskedFor) {
  ModelMetadata model = FakeModel();
  Job job = SteppedJob();
  const auto loss = [&] {
    Violations found;
    const std::optional<MetaStep> step = ResolveMetaStep(job, model, found);
    EXPECT_TRUE(found.empty()) << found.status();
    return step->loss;
  };
  EXPECT_EQ(loss(), MetaLoss::kCrossEntropy);
  model.meaning = {.probabilities = Probabilities::kSigmoid,
                   .exclusive = false};
  EXPECT_EQ(loss(), MetaLoss::kBinaryCrossEntropy);
  job.meta->loss = MetaLoss::kCrossEntropy;
  EXPECT_EQ(loss(), MetaLoss::kCrossEntropy);
}

TEST(ResolveMetaStepTest, CrossEntropyNeedsTwoLogits) {
  ModelMetadata model = FakeModel();
  model.num_classes = 2;
  model.meaning = {.probabilities = Probabilities::kSigmoid,
                   .one_output = true};
  Job job = SteppedJob();
  Violations found;
  EXPECT_EQ(ResolveMetaStep(job, model, found)->loss,
            MetaLoss::kBinaryCrossEntropy);
  job.meta->loss = MetaLoss::kCrossEntropy;
  EXPECT_EQ(StatusOf(job, model),
            absl::InvalidArgumentError(
                "step.loss: CROSS_ENTROPY needs two logits or more; the model "
                "returns one, of which BINARY_CROSS_ENTROPY is defined"));
  job.meta->loss = MetaLoss::kBinaryCrossEntropy;
  EXPECT_TRUE(StatusOf(job, model).ok());
}

TEST(ResolveMetaStepTest, AScalarOutputHasNoLoss) {
  ModelMetadata model = FakeModel();
  model.num_classes = 1;
  Job job = SteppedJob();
  job.score = Score::kScalarOutput;
  EXPECT_EQ(StatusOf(job, model).code(), absl::StatusCode::kInvalidArgument);
}

TEST(ResolveMetaStepTest, AModelThatCannotBeSteppedSaysWhy) {
  ModelMetadata model = FakeModel();
  model.meta_path = MetaPath::kNone;
  model.meta_refusal = "frozen models have no parameters";
  EXPECT_EQ(StatusOf(SteppedJob(), model),
            absl::FailedPreconditionError("frozen models have no parameters"));
  EXPECT_TRUE(StatusOf(FakeJob(1), model).ok()) << "but explained";
}

TEST(ResolveMetaStepTest, ThePassIsAskedForPlainMapsOnlyWhereTheyAreNeeded) {
  Job job = SteppedJob(0.25);
  job.meta->direction = MetaDirection::kAscent;
  const auto item = [&] {
    return PrepareJob(job, FakeModel(), EngineLimits()).value().item;
  };
  ASSERT_TRUE(item().variants.front().meta.has_value());
  EXPECT_EQ(*item().variants.front().meta,
            (MetaStep{.epsilon = 0.25,
                      .direction = MetaDirection::kAscent,
                      .loss = MetaLoss::kCrossEntropy}));
  EXPECT_EQ(item().variants.size(), 1);
  job.plain_maps = true;
  EXPECT_EQ(item().variants.size(), 2);
  job.plain_maps = false;
  job.correlate = Correlate::kPlain;
  EXPECT_EQ(item().variants.size(), 2);
  job.meta.reset();
  EXPECT_EQ(item().variants.size(), 1);
}

TEST(ResolveMetaStepTest, PlainMapsCountAgainstTheLimitOfPixels) {
  EngineLimits limits;
  limits.max_map_pixels = 16;  // of one map of the fake's layer
  Job job = SteppedJob();
  EXPECT_TRUE(PrepareJob(job, FakeModel(), limits).ok());
  job.plain_maps = true;
  EXPECT_EQ(PrepareJob(job, FakeModel(), limits).status(),
            absl::InvalidArgumentError("maps x pixels: 32, of at most 16"));
}

TEST(ResolveMetaStepTest, ComparingClassesNeedsTwo) {
  ModelMetadata model = FakeModel();
  model.num_classes = 1;
  Job job = FakeJob(1);
  job.targets = {RankFromTop{}, RankFromBottom{}};
  job.correlate = Correlate::kTargets;
  EXPECT_TRUE(StatusOf(job).ok());
  EXPECT_EQ(StatusOf(job, model),
            absl::InvalidArgumentError("comparing the maps of two classes "
                                       "needs two or more; this model has 1"));
}

}  // namespace
}  // namespace saliency::resolve_meta_step_test
