#include "server/health_board.h"

#include <memory>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace saliency::health_board_test {
namespace {

struct CountingWatcher : HealthWatcher {
  void OnHealthChange() override { ++changes; }
  void OnHealthClosed() override { ++closes; }
  int changes = 0;
  int closes = 0;
};

TEST(HealthBoardTest, PublishingReplacesAllNames) {
  HealthBoard board;
  EXPECT_EQ(board.Get("a"), std::nullopt);
  board.Publish({{"a", Health::kServing}});
  EXPECT_EQ(board.Get("a"), Health::kServing);
  board.Publish({{"b", Health::kNotServing}});
  EXPECT_EQ(board.Get("a"), std::nullopt);
  EXPECT_EQ(board.Get("b"), Health::kNotServing);
}

TEST(HealthBoardTest, AfterStopServingNothingServesAgain) {
  HealthBoard board;
  board.Publish({{"a", Health::kServing}});
  board.StopServing();
  EXPECT_EQ(board.Get("a"), Health::kNotServing);
  board.Publish({{"a", Health::kServing}});
  EXPECT_EQ(board.Get("a"), Health::kNotServing);
}

TEST(HealthBoardTest, WatchersAreToldOfEveryChangeUntilTheyGo) {
  HealthBoard board;
  auto watcher = std::make_shared<CountingWatcher>();
  board.Watch(watcher);
  board.Publish({});
  board.StopServing();
  EXPECT_EQ(watcher->changes, 2);
  watcher.reset();
  board.Publish({});
}

TEST(HealthBoardTest, AClosedBoardTellsEarlyAndLateWatchers) {
  HealthBoard board;
  auto early = std::make_shared<CountingWatcher>();
  auto late = std::make_shared<CountingWatcher>();
  board.Watch(early);
  board.Close();
  board.Watch(late);
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
}  // namespace saliency::health_board_test
