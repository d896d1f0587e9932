#include "server/loading/model_catalogue.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/convert/refusal_reason.h"

namespace saliency::model_catalogue_test {
namespace {

using ::testing::HasSubstr;

void Set(ModelCatalogue& catalogue, const std::string& model, int64_t version,
         ModelState state) {
  catalogue.Set({.model = model, .version = version, .state = state});
}

TEST(ModelCatalogueTest, NobodyHasLookedIsNotTheSameAsNoModels) {
  ModelCatalogue catalogue;
  const absl::Status before = catalogue.FindReady("net", 0).status();
  EXPECT_EQ(RefusalReason(before), "loading");
  EXPECT_FALSE(catalogue.AllRequiredReady());
  catalogue.MarkListed();
  EXPECT_EQ(catalogue.FindReady("net", 0).status(),
            absl::NotFoundError("the server has no models"));
}

TEST(ModelCatalogueTest, NoVersionMeansTheHighestThatIsReady) {
  ModelCatalogue catalogue;
  catalogue.MarkListed();
  Set(catalogue, "net", 1, ModelState::kReady);
  Set(catalogue, "net", 2, ModelState::kReady);
  Set(catalogue, "net", 3, ModelState::kLoading);
  EXPECT_EQ(catalogue.FindReady("net", 0)->version, 2);
  EXPECT_EQ(catalogue.FindReady("", 0)->version, 2);
  EXPECT_EQ(catalogue.FindReady("net", 1)->version, 1);
  EXPECT_EQ(RefusalReason(catalogue.FindReady("net", 3).status()), "loading");
  Set(catalogue, "net", 3, ModelState::kFailed);
  EXPECT_EQ(catalogue.FindReady("net", 0)->version, 2);
  EXPECT_EQ(RefusalReason(catalogue.FindReady("net", 3).status()), "failed");
}

TEST(ModelCatalogueTest, OnlyAModelThatIsLoadingIsWorthAskingAgain) {
  ModelCatalogue catalogue;
  catalogue.MarkListed();
  Set(catalogue, "net", 1, ModelState::kLoading);
  absl::Status status = catalogue.FindReady("net", 0).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("is loading"));
  catalogue.Set({.model = "net",
                 .version = 1,
                 .state = ModelState::kFailed,
                 .message = "no model.pt"});
  EXPECT_EQ(catalogue.FindReady("net", 0).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(catalogue.FindReady("net", 1).status().message(),
            "model \"net\" version 1 failed to load: no model.pt");
}

TEST(ModelCatalogueTest, NamesThatAreNotThereGetNearMatches) {
  ModelCatalogue catalogue;
  catalogue.MarkListed();
  Set(catalogue, "resnet50", 1, ModelState::kReady);
  Set(catalogue, "vgg16", 1, ModelState::kReady);
  EXPECT_EQ(catalogue.FindReady("resnet5", 0).status(),
            absl::NotFoundError("model \"resnet5\" not found; nearest: "
                                "\"resnet50\", \"vgg16\""));
  EXPECT_EQ(catalogue.FindReady("vgg16", 4).status(),
            absl::NotFoundError("model \"vgg16\": version \"4\" not found; "
                                "nearest: \"1\""));
  EXPECT_EQ(catalogue.FindReady("", 0).status(),
            absl::InvalidArgumentError(
                "model.name: not set, but the server has 2 models"));
}

TEST(ModelCatalogueTest, HealthWaitsForTheRequiredModelsOnly) {
  ModelCatalogue catalogue;
  catalogue.MarkListed();
  catalogue.Set({.model = "a", .version = 1});
  catalogue.Set({.model = "b", .version = 1, .required = false});
  EXPECT_FALSE(catalogue.AllRequiredReady());
  Set(catalogue, "a", 1, ModelState::kFailed);
  EXPECT_FALSE(catalogue.AllRequiredReady());
  Set(catalogue, "a", 2, ModelState::kReady);
  EXPECT_TRUE(catalogue.AllRequiredReady());
}

TEST(ModelCatalogueTest, WithoutModelsNothingIsReady) {
  ModelCatalogue catalogue;
  catalogue.MarkListed();
  EXPECT_FALSE(catalogue.AllRequiredReady());
  catalogue.Set({.model = "a", .version = 1, .required = false});
  EXPECT_TRUE(catalogue.AllRequiredReady());
}

TEST(ModelCatalogueTest, EveryChangeIsTold) {
  int changes = 0;
  ModelCatalogue catalogue([&] { ++changes; });
  catalogue.MarkListed();
  Set(catalogue, "a", 1, ModelState::kLoading);
  Set(catalogue, "a", 1, ModelState::kReady);
  EXPECT_EQ(changes, 3);
  EXPECT_EQ(catalogue.List().size(), 1);
}

}  // namespace
}  // namespace saliency::model_catalogue_test
