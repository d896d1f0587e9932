#include "server/services/health_registry.h"

#include <memory>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace saliency::health_registry_test {
namespace {

struct CountingWatcher : HealthWatcher {
  void OnHealthChange() override { ++changes; }
  void OnHealthClosed() override { ++closes; }
  int changes = 0;
  int closes = 0;
};

TEST(HealthRegistryTest, PublishingReplacesAllNames) {
  HealthRegistry board;
  EXPECT_EQ(board.Get("a"), std::nullopt);
  board.Publish({{"a", Health::kServing}});
  EXPECT_EQ(board.Get("a"), Health::kServing);
  board.Publish({{"b", Health::kNotServing}});
  EXPECT_EQ(board.Get("a"), std::nullopt);
  EXPECT_EQ(board.Get("b"), Health::kNotServing);
}

TEST(HealthRegistryTest, AfterStopServingNothingServesAgain) {
  HealthRegistry board;
  board.Publish({{"a", Health::kServing}});
  board.StopServing();
  EXPECT_EQ(board.Get("a"), Health::kNotServing);
  board.Publish({{"a", Health::kServing}});
  EXPECT_EQ(board.Get("a"), Health::kNotServing);
}

TEST(HealthRegistryTest, WatchersAreToldOfEveryChangeUntilTheyGo) {
  HealthRegistry board;
  auto watcher = std::make_shared<CountingWatcher>();
  ASSERT_TRUE(board.Watch(watcher).ok());
  board.Publish({});
  board.StopServing();
  EXPECT_EQ(watcher->changes, 2);
  board.Unwatch(watcher.get());
  board.Publish({});
  EXPECT_EQ(watcher->changes, 2);
  EXPECT_EQ(board.watchers(), 0);
}

TEST(HealthRegistryTest, AWatcherThatIsGoneIsToldNothing) {
  HealthRegistry board;
  auto watcher = std::make_shared<CountingWatcher>();
  ASSERT_TRUE(board.Watch(watcher).ok());
  watcher.reset();
  board.Publish({});
}

TEST(HealthRegistryTest, TooManyWatchersAreRefused) {
  HealthRegistry board;
  std::vector<std::shared_ptr<CountingWatcher>> watchers;
  for (int i = 0; i < kMaxHealthWatchers; ++i) {
    watchers.push_back(std::make_shared<CountingWatcher>());
    ASSERT_TRUE(board.Watch(watchers.back()).ok());
  }
  const auto one_more = std::make_shared<CountingWatcher>();
  EXPECT_TRUE(absl::IsResourceExhausted(board.Watch(one_more)));
  board.Unwatch(watchers.front().get());
  EXPECT_TRUE(board.Watch(one_more).ok());
}

TEST(HealthRegistryTest, NothingServesWhileThePortDoesNotAnswer) {
  HealthRegistry board;
  const auto watcher = std::make_shared<CountingWatcher>();
  ASSERT_TRUE(board.Watch(watcher).ok());
  board.Publish({{"a", Health::kServing}});
  board.SetReachable(false);
  EXPECT_EQ(board.Get("a"), Health::kNotServing);
  EXPECT_EQ(board.Get("b"), std::nullopt);
  board.SetReachable(true);
  EXPECT_EQ(board.Get("a"), Health::kServing);
  EXPECT_EQ(watcher->changes, 3);
}

TEST(HealthRegistryTest, AClosedBoardTellsEarlyAndLateWatchers) {
  HealthRegistry board;
  auto early = std::make_shared<CountingWatcher>();
  auto late = std::make_shared<CountingWatcher>();
  ASSERT_TRUE(board.Watch(early).ok());
  board.Close();
  ASSERT_TRUE(board.Watch(late).ok());
  EXPECT_EQ(early->closes, 1);
  EXPECT_EQ(late->closes, 1);
}

TEST(HealthOfTest, OverallHealthWaitsForRequiredModels) {
  ModelCatalogue catalogue;
  EXPECT_EQ(HealthOf(catalogue)[""], Health::kNotServing);
  catalogue.MarkListed();
  EXPECT_EQ(HealthOf(catalogue)[""], Health::kNotServing) << "no models";
  catalogue.Set({.model = "a", .version = 1});
  catalogue.Set({.model = "b", .version = 1, .state = ModelState::kReady});
  auto names = HealthOf(catalogue);
  EXPECT_EQ(names[""], Health::kNotServing);
  EXPECT_EQ(names["saliency.v1.SaliencyService"], Health::kNotServing);
  EXPECT_EQ(names["saliency.v1.ModelService"], Health::kServing);
  EXPECT_EQ(names["model/a"], Health::kNotServing);
  EXPECT_EQ(names["model/b"], Health::kServing);
  EXPECT_FALSE(names.contains("model/c"));
  catalogue.Set({.model = "a", .version = 2, .state = ModelState::kReady});
  names = HealthOf(catalogue);
  EXPECT_EQ(names[""], Health::kServing);
  EXPECT_EQ(names["model/a"], Health::kServing);
}

}  // namespace
}  // namespace saliency::health_registry_test
