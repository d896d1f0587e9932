#include "core/engine/run/fair_shares.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace saliency::fair_shares_test {
namespace {

// Whoever of those who wait has the next turn.
std::string Next(const FairShares& shares,
                 const std::vector<std::string>& waiting) {
  return *std::min_element(waiting.begin(), waiting.end(),
                           [&](const auto& a, const auto& b) {
                             return shares.Turn(a) < shares.Turn(b);
                           });
}

TEST(FairSharesTest, CostsAreSharedEvenlyWhateverEachAsksAtATime) {
  FairShares shares;
  const std::map<std::string, double> cost = {{"a", 16}, {"b", 1}, {"c", 5}};
  std::map<std::string, double> given;
  for (int i = 0; i < 2000; ++i) {
    const std::string next = Next(shares, {"a", "b", "c"});
    shares.Charge(next, cost.at(next));
    given[next] += cost.at(next);
  }
  EXPECT_NEAR(given["a"], given["b"], 16);
  EXPECT_NEAR(given["a"], given["c"], 16);
}

TEST(FairSharesTest, ANewcomerIsNextAndGetsNoCreditForItsAbsence) {
  FairShares shares;
  for (int i = 0; i < 100; ++i) shares.Charge("old", 4);
  EXPECT_EQ(Next(shares, {"old", "new"}), "new");
  shares.Charge("new", 4);
  EXPECT_EQ(Next(shares, {"old", "new"}), "old");
  int news = 0;
  for (int i = 0; i < 10; ++i) {
    const std::string next = Next(shares, {"old", "new"});
    shares.Charge(next, 4);
    news += next == "new" ? 1 : 0;
  }
  EXPECT_EQ(news, 5);
}

}  // namespace
}  // namespace saliency::fair_shares_test
