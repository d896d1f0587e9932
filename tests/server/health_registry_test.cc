#include "server/services/health_registry.h"

#include <memory>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fakes.h"

namespace saliency::health_registry_test {
namespace {

struct CountingWatcher : HealthWatcher {
  void OnHealthChange() override { ++changes; }
  void OnHealthClosed() override { ++closes; }
  int changes = 0;
  int closes = 0;
};

TEST(HealthRegistryTest, PublishingReplacesAllNames) {
  HealthRegistry registry;
  EXPECT_EQ(registry.Get("a"), std::nullopt);
  registry.Publish({{"a", Health::kServing}});
  EXPECT_EQ(registry.Get("a"), Health::kServing);
  registry.Publish({{"b", Health::kNotServing}});
  EXPECT_EQ(registry.Get("a"), std::nullopt);
  EXPECT_EQ(registry.Get("b"), Health::kNotServing);
}

TEST(HealthRegistryTest, AfterStopServingNothingServesAgain) {
  HealthRegistry registry;
  registry.Publish({{"a", Health::kServing}});
  registry.StopServing();
  EXPECT_EQ(registry.Get("a"), Health::kNotServing);
  registry.Publish({{"a", Health::kServing}});
  EXPECT_EQ(registry.Get("a"), Health::kNotServing);
}

TEST(HealthRegistryTest, WatchersAreToldOfEveryChangeUntilTheyGo) {
  HealthRegistry registry;
  auto watcher = std::make_shared<CountingWatcher>();
  ASSERT_TRUE(registry.Watch(watcher).ok());
  registry.Publish({});
  registry.StopServing();
  EXPECT_EQ(watcher->changes, 2);
  registry.Unwatch(watcher.get());
  registry.Publish({});
  EXPECT_EQ(watcher->changes, 2);
  EXPECT_EQ(registry.watchers(), 0);
}

TEST(HealthRegistryTest, AWatcherThatIsGoneIsToldNothing) {
  HealthRegistry registry;
  auto watcher = std::make_shared<CountingWatcher>();
  ASSERT_TRUE(registry.Watch(watcher).ok());
  watcher.reset();
  registry.Publish({});
}

TEST(HealthRegistryTest, TooManyWatchersAreRefused) {
  HealthRegistry registry;
  std::vector<std::shared_ptr<CountingWatcher>> watchers;
  for (int i = 0; i < kMaxHealthWatchers; ++i) {
    watchers.push_back(std::make_shared<CountingWatcher>());
    ASSERT_TRUE(registry.Watch(watchers.back()).ok());
  }
  const auto one_more = std::make_shared<CountingWatcher>();
  EXPECT_TRUE(absl::IsResourceExhausted(registry.Watch(one_more)));
  registry.Unwatch(watchers.front().get());
  EXPECT_TRUE(registry.Watch(one_more).ok());
}

TEST(HealthRegistryTest, NothingServesWhileThePortDoesNotAnswer) {
  HealthRegistry registry;
  const auto watcher = std::make_shared<CountingWatcher>();
  ASSERT_TRUE(registry.Watch(watcher).ok());
  registry.Publish({{"a", Health::kServing}});
  registry.SetReachable(false);
  EXPECT_EQ(registry.Get("a"), Health::kNotServing);
  EXPECT_EQ(registry.Get("b"), std::nullopt);
  registry.SetReachable(true);
  EXPECT_EQ(registry.Get("a"), Health::kServing);
  EXPECT_EQ(watcher->changes, 3);
}

TEST(HealthRegistryTest, AClosedBoardTellsEarlyAndLateWatchers) {
  HealthRegistry registry;
  auto early = std::make_shared<CountingWatcher>();
  auto late = std::make_shared<CountingWatcher>();
  ASSERT_TRUE(registry.Watch(early).ok());
  registry.Close();
  ASSERT_TRUE(registry.Watch(late).ok());
  EXPECT_EQ(early->closes, 1);
  EXPECT_EQ(late->closes, 1);
}

TEST(HealthOfTest, OverallHealthWaitsForRequiredModels) {
  ModelTable models;
  EXPECT_EQ(HealthOf(models)[""], Health::kNotServing);
  models.MarkListed();
  EXPECT_EQ(HealthOf(models)[""], Health::kNotServing) << "no models";
  models.Reserve("a", 1);
  models.Publish({.model = "b", .version = 1}, NoWorkers());
  auto names = HealthOf(models);
  EXPECT_EQ(names[""], Health::kNotServing);
  EXPECT_EQ(names["saliency.v1.SaliencyService"], Health::kNotServing);
  EXPECT_EQ(names["saliency.v1.ModelService"], Health::kServing);
  EXPECT_EQ(names["model/a"], Health::kNotServing);
  EXPECT_EQ(names["model/b"], Health::kServing);
  EXPECT_FALSE(names.contains("model/c"));
  models.Publish({.model = "a", .version = 2}, NoWorkers());
  names = HealthOf(models);
  EXPECT_EQ(names[""], Health::kServing);
  EXPECT_EQ(names["model/a"], Health::kServing);
}

}  // namespace
}  // namespace saliency::health_registry_test
