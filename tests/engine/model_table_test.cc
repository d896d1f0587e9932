#include "core/engine/model_table.h"

#include <memory>
#include <optional>
#include <string>

#include "core/engine/refusal.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fakes.h"

namespace saliency::model_table_test {
namespace {

using ::testing::HasSubstr;

void Set(ModelTable& models, const std::string& model, int64_t version,
         ModelState state) {
  switch (state) {
    case ModelState::kLoading:
      return models.Reserve(model, version);
    case ModelState::kReady:
      return models.Publish({.model = model, .version = version}, NoWorkers());
    case ModelState::kFailed:
      return models.Fail(model, version, "no reason");
  }
}

TEST(ModelTableTest, NobodyHasLookedIsNotTheSameAsNoModels) {
  ModelTable models;
  const absl::Status before = models.FindReady("net", 0).status();
  EXPECT_TRUE(HasRefusalReason(before, "loading"));
  EXPECT_FALSE(models.AllRequiredReady());
  models.MarkListed();
  EXPECT_EQ(models.FindReady("net", 0).status(),
            absl::NotFoundError("the server has no models"));
}

TEST(ModelTableTest, NoVersionMeansTheHighestThatIsReady) {
  ModelTable models;
  models.MarkListed();
  Set(models, "net", 1, ModelState::kReady);
  Set(models, "net", 2, ModelState::kReady);
  Set(models, "net", 3, ModelState::kLoading);
  EXPECT_EQ(models.Find("net", 0)->version->version, 2);
  EXPECT_EQ(models.Find("", 0)->version->version, 2);
  EXPECT_EQ(models.Find("net", 1)->version->version, 1);
  EXPECT_TRUE(HasRefusalReason(models.FindReady("net", 3).status(), "loading"));
  Set(models, "net", 3, ModelState::kFailed);
  EXPECT_EQ(models.Find("net", 0)->version->version, 2);
  EXPECT_TRUE(HasRefusalReason(models.FindReady("net", 3).status(), "failed"));
}

TEST(ModelTableTest, OnlyAModelThatIsLoadingIsWorthAskingAgain) {
  ModelTable models;
  models.MarkListed();
  Set(models, "net", 1, ModelState::kLoading);
  absl::Status status = models.FindReady("net", 0).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("is loading"));
  models.Fail("net", 1, "no model.pt");
  EXPECT_EQ(models.FindReady("net", 0).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(models.FindReady("net", 1).status().message(),
            "model \"net\" version 1 failed to load: no model.pt");
}

TEST(ModelTableTest, NamesThatAreNotThereGetNearMatches) {
  ModelTable models;
  models.MarkListed();
  Set(models, "resnet50", 1, ModelState::kReady);
  Set(models, "vgg16", 1, ModelState::kReady);
  EXPECT_EQ(models.FindReady("resnet5", 0).status(),
            absl::NotFoundError("model \"resnet5\" not found; nearest: "
                                "\"resnet50\", \"vgg16\""));
  EXPECT_EQ(models.FindReady("vgg16", 4).status(),
            absl::NotFoundError("model \"vgg16\": version \"4\" not found; "
                                "nearest: \"1\""));
  EXPECT_EQ(models.FindReady("", 0).status(),
            absl::InvalidArgumentError(
                "model.name: not set, but the server has 2 models: "
                "\"resnet50\", \"vgg16\""));
}

TEST(ModelTableTest, HealthWaitsForTheRequiredModelsOnly) {
  ModelTable models;
  models.MarkListed();
  models.Reserve("a", 1);
  models.Reserve("b", 1, /*required=*/false);
  EXPECT_FALSE(models.AllRequiredReady());
  Set(models, "a", 1, ModelState::kFailed);
  EXPECT_FALSE(models.AllRequiredReady());
  Set(models, "a", 2, ModelState::kReady);
  EXPECT_TRUE(models.AllRequiredReady());
}

TEST(ModelTableTest, WithoutModelsNothingIsReady) {
  ModelTable models;
  models.MarkListed();
  EXPECT_FALSE(models.AllRequiredReady());
  models.Reserve("a", 1, /*required=*/false);
  EXPECT_TRUE(models.AllRequiredReady());
}

TEST(ModelTableTest, EveryChangeIsTold) {
  int changes = 0;
  ModelTable models([&] { ++changes; });
  models.MarkListed();
  Set(models, "a", 1, ModelState::kLoading);
  Set(models, "a", 1, ModelState::kReady);
  EXPECT_EQ(changes, 3);
  EXPECT_EQ(models.List().size(), 1);
}

TEST(ModelTableTest, AReadyVersionStaysReadyWhileAnotherFileOfItIsLoaded) {
  ModelTable models;
  models.Publish({.model = "net", .version = 1, .sha256 = "old"}, NoWorkers());
  models.Reserve("net", 1);
  EXPECT_EQ(models.FindReady("net", 1).value()->sha256, "old");
  models.Fail("net", 1, "the new file is broken");
  EXPECT_EQ(models.FindReady("net", 1).value()->sha256, "old");
  models.Publish({.model = "net", .version = 1, .sha256 = "new"}, NoWorkers());
  EXPECT_EQ(models.FindReady("net", 1).value()->sha256, "new");
}

TEST(ModelTableTest, WhatWasFoundStaysWhenTheVersionIsReplacedOrRemoved) {
  ModelTable models;
  for (const bool replaced : {true, false}) {
    SCOPED_TRACE(replaced);
    models.Publish({.model = "net", .version = 1, .sha256 = "old"},
                   NoWorkers());
    std::optional<ModelTable::Entry> held = *models.Find("net", 1);
    const std::shared_ptr<Batcher> queue = held->served->batcher();
    if (replaced) {
      models.Publish({.model = "net", .version = 1, .sha256 = "new"},
                     NoWorkers());
    } else {
      ASSERT_TRUE(models.Remove("net", 1).ok());
    }
    EXPECT_EQ(held->version->sha256, "old");
    EXPECT_TRUE(queue->Reserve().ok()) << "whoever found it may still use it";
    queue->Release();
    held.reset();
    EXPECT_FALSE(queue->Reserve().ok()) << "closed by the last who held it";
  }
}

TEST(ModelTableTest, ARemovedVersionIsGoneInEveryState) {
  ModelTable models;
  models.MarkListed();
  Set(models, "net", 1, ModelState::kReady);
  Set(models, "net", 2, ModelState::kReady);
  Set(models, "net", 3, ModelState::kLoading);
  EXPECT_TRUE(models.Remove("net", 2).ok());
  EXPECT_EQ(models.Find("net", 0)->version->version, 1);
  EXPECT_EQ(models.Remove("net", 2),
            absl::NotFoundError("model \"net\": version \"2\" not found; "
                                "nearest: \"1\", \"3\""));
  EXPECT_TRUE(models.Remove("net", 3).ok());
  models.Fail("net", 3, "its load ended late");
  EXPECT_EQ(models.List().size(), 1) << "not back by that";
  EXPECT_TRUE(models.Remove("net", 1).ok());
  EXPECT_EQ(models.Remove("net", 1),
            absl::NotFoundError("the server has no models"));
  EXPECT_TRUE(models.Served().empty());
}

TEST(ModelTableTest, WeightsAreOfTheFileThatTheyWereMeasuredOn) {
  ModelTable models;
  models.Publish(
      {.model = "fake",
       .version = 1,
       .metadata = std::make_shared<const ModelMetadata>(FakeModel()),
       .sha256 = "aa"},
      NoWorkers());
  const ModelVersionPtr before = models.FindReady("fake", 1).value();
  EXPECT_FALSE(models.SetLayerWeights("fake", 1, "bb", {.data = "x"}));
  EXPECT_FALSE(models.SetLayerWeights("fake", 2, "aa", {.data = "x"}));
  EXPECT_TRUE(models.SetLayerWeights("fake", 1, "aa", {.data = "x"}));
  EXPECT_EQ(models.FindReady("fake", 1).value()->metadata->layer_weights.data,
            "x");
  EXPECT_EQ(before->metadata->layer_weights.data, "") << "snapshots stay";
}

}  // namespace
}  // namespace saliency::model_table_test
