#include "core/engine/run/bisect.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <random>
#include <stdexcept>

#include "core/engine/refusal.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fakes.h"

namespace saliency::bisect_test {
namespace {

using testing::ElementsAre;

// Items with ids 0 to count-1, one row each.
struct Items {
  explicit Items(int count) : items(count) {
    for (int i = 0; i < count; ++i) {
      items[i].input = at::full({1, 3, 2, 2}, static_cast<double>(i));
      items[i].targets = {RankFromTop{}};
    }
    for (const PassItem& item : items) pointers.push_back(&item);
  }
  std::vector<PassItem> items;
  std::vector<const PassItem*> pointers;
};

bool Holds(const std::vector<int>& ids, int id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

TEST(BisectTest, ABatchThatRunsIsRunOnce) {
  ExplainerLog log;
  FakeExplainer explainer(log);
  const Items items(5);
  const BisectedBatch result = ExplainBisecting(explainer, items.pointers);
  EXPECT_THAT(log.Batches(), ElementsAre(ElementsAre(0, 1, 2, 3, 4)));
  for (int i = 0; i < 5; ++i) {
    EXPECT_FLOAT_EQ(result.items[i].answer.value().variants[0].score[0], i);
  }
}

TEST(BisectTest, OnlyTheItemThatThrowsFails) {
  ExplainerLog log;
  FakeExplainer explainer(log, [](const std::vector<int>& ids) {
    if (Holds(ids, 5)) throw std::runtime_error("at /secret/path.cc:12");
    return absl::OkStatus();
  });
  const Items items(16);
  const BisectedBatch result = ExplainBisecting(explainer, items.pointers);
  for (int i = 0; i < 16; ++i) {
    EXPECT_EQ(result.items[i].answer.ok(), i != 5) << i;
  }
  const absl::Status status = result.items[5].answer.status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(status.message(), "the model's pass failed");
  EXPECT_EQ(result.items[5].detail, "at /secret/path.cc:12");
  // 1 + 2 log2(16) attempts for one culprit.
  EXPECT_EQ(log.Batches().size(), 9);
}

TEST(BisectTest, AnErrorKeepsItsCodeForTheCulpritAlone) {
  ExplainerLog log;
  FakeExplainer explainer(log, [](const std::vector<int>& ids) {
    return Holds(ids, 2) ? absl::InvalidArgumentError("bad rank")
                         : absl::OkStatus();
  });
  const Items items(3);
  const BisectedBatch result = ExplainBisecting(explainer, items.pointers);
  EXPECT_TRUE(result.items[0].answer.ok());
  EXPECT_TRUE(result.items[1].answer.ok());
  EXPECT_EQ(result.items[2].answer.status(),
            absl::InvalidArgumentError("bad rank"));
}

TEST(BisectTest, OutOfMemoryAboveTwoItemsIsCuredBySplitting) {
  ExplainerLog log;
  FakeExplainer explainer(log, [](const std::vector<int>& ids) {
    return ids.size() > 2 ? absl::ResourceExhaustedError("device")
                          : absl::OkStatus();
  });
  const Items items(8);
  const BisectedBatch result = ExplainBisecting(explainer, items.pointers);
  for (const BisectedItem& item : result.items) EXPECT_TRUE(item.answer.ok());
  EXPECT_EQ(result.out_of_memory_retries, 3);
  EXPECT_EQ(result.out_of_memory_refusals, 0);
}

TEST(BisectTest, WhatDoesNotFitEvenAloneIsRefusedForEver) {
  ExplainerLog log;
  FakeExplainer explainer(log, [](const std::vector<int>& ids) {
    return Holds(ids, 0) ? absl::ResourceExhaustedError("device")
                         : absl::OkStatus();
  });
  const Items items(2);
  const BisectedBatch result = ExplainBisecting(explainer, items.pointers);
  EXPECT_EQ(result.items[0].answer.status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(NeverRetry(result.items[0].answer.status()));
  EXPECT_TRUE(result.items[1].answer.ok());
  EXPECT_EQ(result.out_of_memory_refusals, 1);
}

TEST(BisectTest, ALostDeviceEndsTheBatchWithoutFurtherAttempts) {
  ExplainerLog log;
  FakeExplainer explainer(log, [](const std::vector<int>& ids) {
    return absl::UnavailableError("gone");
  });
  const Items items(8);
  const BisectedBatch result = ExplainBisecting(explainer, items.pointers);
  EXPECT_EQ(result.device_lost.code(), absl::StatusCode::kUnavailable);
  for (const BisectedItem& item : result.items) {
    EXPECT_EQ(item.answer.status().code(), absl::StatusCode::kUnavailable);
  }
  EXPECT_EQ(log.Batches().size(), 1);
}

TEST(BisectTest, ADeviceLostHalfwayKeepsWhatWasDone) {
  ExplainerLog log;
  FakeExplainer explainer(log, [](const std::vector<int>& ids) {
    if (ids.size() == 4) return absl::InternalError("first");
    return Holds(ids, 2) ? absl::UnavailableError("gone") : absl::OkStatus();
  });
  const Items items(4);
  const BisectedBatch result = ExplainBisecting(explainer, items.pointers);
  EXPECT_TRUE(result.items[0].answer.ok());
  EXPECT_TRUE(result.items[1].answer.ok());
  EXPECT_EQ(result.items[2].answer.status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(result.items[3].answer.status().code(),
            absl::StatusCode::kUnavailable);
}

TEST(BisectTest, ExactlyTheCulpritsFailWhateverTheyAre) {
  for (int seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const int count = 1 + static_cast<int>(random() % 16);
    std::vector<bool> bad(count);
    for (int i = 0; i < count; ++i) bad[i] = random() % 4 == 0;
    ExplainerLog log;
    FakeExplainer explainer(log, [&](const std::vector<int>& ids) {
      for (const int id : ids) {
        if (bad[id]) throw std::runtime_error("bad");
      }
      return absl::OkStatus();
    });
    const Items items(count);
    const BisectedBatch result = ExplainBisecting(explainer, items.pointers);
    for (int i = 0; i < count; ++i) {
      EXPECT_EQ(result.items[i].answer.ok(), !bad[i]) << i;
      if (!bad[i]) {
        EXPECT_FLOAT_EQ(result.items[i].answer->variants[0].score[0], i);
      }
    }
  }
}

}  // namespace
}  // namespace saliency::bisect_test
