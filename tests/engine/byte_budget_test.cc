#include "core/engine/byte_budget.h"

#include <atomic>
#include <memory>
#include <thread>

#include "core/engine/refusal.h"
#include "core/engine/scratch_gate.h"
#include "gtest/gtest.h"
#include "tests/support/fakes.h"

namespace saliency::byte_budget_test {
namespace {

TEST(ByteBudgetTest, BoundsTheTotal) {
  ByteBudget budget({.total = 100, .per_caller = 100});
  EXPECT_TRUE(budget.Take("", 60).ok());
  const absl::Status refused = budget.Take("a", 50);
  EXPECT_EQ(refused, absl::ResourceExhaustedError(
                         "queue full: 50 bytes on top of 60 held (limit 100)"));
  EXPECT_FALSE(NeverRetry(refused));
  budget.Return("", 60);
  EXPECT_TRUE(budget.Take("a", 50).ok());
  EXPECT_EQ(budget.held(), 50);
}

TEST(ByteBudgetTest, BoundsEachCallerAndLeavesTheRestToOthers) {
  ByteBudget budget({.total = 100, .per_caller = 40});
  EXPECT_TRUE(budget.Take("a", 30).ok());
  EXPECT_EQ(budget.Take("a", 20),
            absl::ResourceExhaustedError("queue full: 20 bytes on top of 30 "
                                         "held for this caller (limit 40)"));
  EXPECT_TRUE(budget.Take("b", 40).ok());
  budget.Return("a", 30);
  EXPECT_TRUE(budget.Take("a", 20).ok());
}

// Otherwise the largest request that is allowed would never be served.
TEST(ByteBudgetTest, OneRequestAloneMayTakeMoreThanACallersShare) {
  ByteBudget budget({.total = 100, .per_caller = 40});
  EXPECT_TRUE(budget.Take("a", 90).ok());
  EXPECT_FALSE(budget.Take("a", 1).ok());
}

TEST(ByteBudgetTest, WhatNeverFitsNeedNotComeBack) {
  ByteBudget budget({.total = 100, .per_caller = 40});
  const absl::Status refused = budget.Take("a", 101);
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(refused.message(),
            "the request needs 101 bytes for its input and answer (limit 100)");
  EXPECT_TRUE(NeverRetry(refused));
  EXPECT_EQ(budget.held(), 0);
}

TEST(ByteBudgetTest, AHoldShrinksAndGoes) {
  const auto budget =
      std::make_shared<ByteBudget>(ByteLimits{.total = 100, .per_caller = 100});
  ASSERT_TRUE(budget->Take("a", 80).ok());
  {
    ByteHold hold(budget, "a", 80);
    hold.ShrinkTo(90);
    EXPECT_EQ(budget->held(), 80);
    hold.ShrinkTo(10);
    EXPECT_EQ(budget->held(), 10);
  }
  EXPECT_EQ(budget->held(), 0);
}

TEST(ScratchGateTest, WhatDoesNotFitWaitsAndOneAloneAlwaysFits) {
  ScratchGate gate(100);
  Gate inside;
  std::atomic<bool> second_is_in = false;
  std::thread first([&] {
    const ScratchGate::Pass pass(gate, 1000);
    inside.Pass();
    EXPECT_FALSE(second_is_in);
  });
  inside.AwaitArrivals(1);
  std::thread second([&] {
    const ScratchGate::Pass pass(gate, 1);
    second_is_in = true;
  });
  inside.Open();
  first.join();
  second.join();
  EXPECT_TRUE(second_is_in);
}

}  // namespace
}  // namespace saliency::byte_budget_test
