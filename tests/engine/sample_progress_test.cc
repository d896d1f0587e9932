// What a job with samples hears while it is in work.

#include <vector>

#include "core/engine/engine.h"
#include "gtest/gtest.h"
#include "tests/engine/sampled_jobs.h"

namespace saliency::sample_progress_test {
namespace {

class SampleProgressTest : public SampledJobsTest {
 protected:
  // What is told of a job whose clock moves by `step` whenever it is, in passes
  // of four rows.
  std::vector<SampleProgress> ToldOf(Job job, absl::Duration step) {
    model_->config.batching.max_rows = 4;
    FakeClock clock;
    RecordingObserver observer;
    Engine engine({}, clock, observer);
    ServeModel(engine, model_);
    std::vector<SampleProgress> told;  // on the only worker's thread
    job.on_progress = [&](const SampleProgress& progress) {
      told.push_back(progress);
      clock.Advance(step);
    };
    Answers answers(1);
    engine.Submit(std::move(job), answers.For(0));
    answers.AwaitAll();
    EXPECT_TRUE(answers.of(0).ok()) << answers.of(0).status();
    return told;
  }

  static Job Masked() {
    Job job = JobOf(
        1, {{.attribution = *Attribution::Perturbed(Rise{.masks = 12})},
            {.attribution = *Attribution::Perturbed(Lime{.samples = 8})}});
    job.targets = {ClassIndex{1}, ClassIndex{2}};
    return job;
  }
};

TEST_F(SampleProgressTest, CountsSamplesOnceForAllTargets) {
  const std::vector<SampleProgress> told =
      ToldOf(Masked(), kSampleProgressEvery);
  ASSERT_EQ(told.size(), 9U);  // two samples a pass, the last ends the job
  for (std::size_t i = 0; i < told.size(); ++i) {
    EXPECT_EQ(told[i].done, static_cast<int64_t>(2 * (i + 1)));
    EXPECT_EQ(told[i].total, 12 + 8);
  }
}

TEST_F(SampleProgressTest, NoMoreThanOnceEachHalfSecond) {
  EXPECT_EQ(ToldOf(Masked(), absl::ZeroDuration()).size(), 1U);
}

TEST_F(SampleProgressTest, AJobWithoutSamplesHearsNothing) {
  Job job = JobOf(1, {{.attribution = *Attribution::Named("norm_grad"),
                       .layers = {"layer4"}}});
  for (int64_t index = 0; index < 10; ++index) {
    job.targets.emplace_back(ClassIndex{index});
  }
  EXPECT_TRUE(ToldOf(std::move(job), kSampleProgressEvery).empty());
}

}  // namespace
}  // namespace saliency::sample_progress_test
