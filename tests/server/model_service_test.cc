#include "server/services/model_service.h"

#include <map>
#include <set>
#include <string>

#include "core/attribution/registry.h"
#include "core/attribution/sampling.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/test_server.h"

namespace saliency::model_service_test {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

TEST(ModelServiceTest, EveryVersionOfEveryModelIsListedWithItsState) {
  TestServer server;
  server.AddFakeModel();
  server.table().Reserve("fake", 2);
  server.table().Fail("fake", 2, "no model.pt");
  server.table().Reserve("other", 3);
  grpc::ClientContext context;
  v1::ListModelsResponse response;
  ASSERT_TRUE(server.models().ListModels(&context, {}, &response).ok());
  ASSERT_EQ(response.models_size(), 2);
  EXPECT_EQ(response.models(0).name(), "fake");
  ASSERT_EQ(response.models(0).versions_size(), 2);
  EXPECT_EQ(response.models(0).versions(0).state(), v1::MODEL_STATE_READY);
  EXPECT_EQ(response.models(0).versions(1).state(), v1::MODEL_STATE_FAILED);
  EXPECT_EQ(response.models(0).versions(1).message(), "no model.pt");
  EXPECT_EQ(response.models(1).name(), "other");
  EXPECT_EQ(response.models(1).versions(0).state(), v1::MODEL_STATE_LOADING);
}

TEST(ModelServiceTest, GetModelTellsAllAboutTheOnlyModel) {
  TestServer server;
  server.AddFakeModel();
  grpc::ClientContext context;
  v1::GetModelResponse response;
  ASSERT_TRUE(server.models().GetModel(&context, {}, &response).ok());
  EXPECT_EQ(response.model().name(), "fake");
  EXPECT_EQ(response.model().version(), 1);
  EXPECT_EQ(response.num_classes(), 10);
  EXPECT_EQ(response.labels_size(), 10);
  EXPECT_EQ(response.sha256(), std::string(64, 'a'));
  EXPECT_TRUE(response.rows_independent());
  EXPECT_TRUE(response.deterministic());
  EXPECT_TRUE(response.targets_share_work());
  EXPECT_EQ(response.versions_size(), 1);
  EXPECT_THAT(response.config().default_layers(), ElementsAre("last"));
  EXPECT_EQ(response.config().input().height(), 8);
  EXPECT_EQ(response.config().input().geometry(), v1::GEOMETRY_SQUASH);
  EXPECT_EQ(response.config().batching().max_rows(), 16);
  ASSERT_EQ(response.layers_size(), 5);
  EXPECT_EQ(response.layers(0).name(), "input");
  EXPECT_EQ(response.layers(1).kind(), "Conv2d");
  EXPECT_THAT(response.layers(1).shape(), ElementsAre(4, 4, 4));
}

TEST(ModelServiceTest, GetModelShowsCombineLayersAndCalibratedWeights) {
  TestServer server;
  ModelMetadata metadata = FakeModel();
  metadata.config.combine_layers = {"conv", "last"};
  const auto get = [&] {
    server.table().Publish(
        {.model = "fake",
         .version = 1,
         .metadata = std::make_shared<const ModelMetadata>(metadata)},
        NoWorkers());
    grpc::ClientContext context;
    v1::GetModelResponse response;
    EXPECT_TRUE(server.models().GetModel(&context, {}, &response).ok());
    return response;
  };
  EXPECT_THAT(get().config().combine_layers(), ElementsAre("conv", "last"));
  EXPECT_FALSE(get().has_layer_weights());
  metadata.layer_weights = {
      .layers = {{.layer = "conv", .feature_spread = 0.5},
                 {.layer = "last", .classification_accuracy = 0.75}},
      .data = "scenes",
      .images = 100};
  const v1::LayerWeights weights = get().layer_weights();
  ASSERT_EQ(weights.layers_size(), 2);
  EXPECT_EQ(weights.layers(0).layer(), "conv");
  EXPECT_EQ(weights.layers(0).feature_spread(), 0.5);
  EXPECT_FALSE(weights.layers(0).has_classification_accuracy());
  EXPECT_EQ(weights.layers(1).classification_accuracy(), 0.75);
  EXPECT_EQ(weights.data(), "scenes");
  EXPECT_EQ(weights.images(), 100);
}

TEST(ModelServiceTest, GetModelTellsWhatTheSelfCheckFound) {
  TestServer server;
  ModelMetadata metadata = FakeModel();
  metadata.layers[1].no_maps_because = "it has 4 entries for 1 image";
  metadata.self_check = {.rows_independent = false,
                         .deterministic = false,
                         .rows_depend_because = "operator aten::max mixes",
                         .random_operator = "aten::dropout"};
  server.table().Publish(
      {.model = "fake",
       .version = 1,
       .metadata = std::make_shared<const ModelMetadata>(metadata)},
      NoWorkers());
  grpc::ClientContext context;
  v1::GetModelResponse response;
  ASSERT_TRUE(server.models().GetModel(&context, {}, &response).ok());
  EXPECT_FALSE(response.rows_independent());
  EXPECT_EQ(response.rows_depend_because(), "operator aten::max mixes");
  EXPECT_FALSE(response.deterministic());
  EXPECT_EQ(response.random_operator(), "aten::dropout");
  EXPECT_EQ(response.layers(1).no_maps_because(),
            "it has 4 entries for 1 image");
  EXPECT_EQ(response.layers(3).no_maps_because(), "");
  // A convolution without maps is no place for a method that is bound to one.
  for (const v1::Method& method : response.methods()) {
    EXPECT_THAT(method.layers(), testing::Not(testing::Contains("conv")));
  }
}

TEST(ModelServiceTest, MethodsComeWithTheLayersTheyAreBoundTo) {
  TestServer server;
  server.AddFakeModel();
  grpc::ClientContext context;
  v1::GetModelResponse response;
  ASSERT_TRUE(server.models().GetModel(&context, {}, &response).ok());
  EXPECT_EQ(response.methods_size(),
            AllMethods().size() + AllSamplingMethods().size());
  for (const v1::Method& method : response.methods()) {
    if (const SamplingMethod* sampling = FindSamplingMethod(method.name())) {
      EXPECT_EQ(method.summary(), sampling->summary);
      const bool at_input =
          !std::holds_alternative<SmoothGrad>(sampling->defaults) &&
          !std::holds_alternative<ScoreCam>(sampling->defaults);
      EXPECT_EQ(method.layers_size(), at_input ? 1 : 0) << method.name();
      continue;
    }
    const Method& known = *FindMethod(method.name()).value();
    EXPECT_EQ(method.summary(), known.summary);
    switch (known.method_inputs) {
      case MethodInputs::kActivationAndGradient:
      case MethodInputs::kActivation:
      case MethodInputs::kInputAndGradient:
      case MethodInputs::kScore:
      case MethodInputs::kChannelScores:
      case MethodInputs::kRelevance:
        EXPECT_EQ(method.layers_size(), 0) << method.name();
        break;
      case MethodInputs::kExcitation:
        EXPECT_THAT(method.layers(), testing::Not(testing::Contains("input")));
        EXPECT_THAT(method.layers(), testing::Not(testing::IsEmpty()));
        break;
      case MethodInputs::kActivationAndHead:
        EXPECT_THAT(method.layers(), ElementsAre("last")) << method.name();
        break;
      case MethodInputs::kRealConv:
        EXPECT_THAT(method.layers(), ElementsAre("conv")) << method.name();
        break;
      case MethodInputs::kRealBatchNorm:
        EXPECT_THAT(method.layers(), ElementsAre("norm")) << method.name();
        break;
    }
  }
}

TEST(ModelServiceTest, MethodsThatDoNotApplyComeWithTheReason) {
  TestServer server;
  ModelMetadata metadata = FakeModel();
  metadata.head_layers.clear();
  for (LayerInfo& layer : metadata.layers) layer.conv.reset();
  metadata.rule_refusals[BackwardRule::Kind::kLrpGamma] =
      "operator aten::silu (layer \"act\")";
  server.table().Publish(
      {.model = "fake",
       .version = 1,
       .metadata = std::make_shared<const ModelMetadata>(metadata)},
      NoWorkers());
  grpc::ClientContext context;
  v1::GetModelResponse response;
  ASSERT_TRUE(server.models().GetModel(&context, {}, &response).ok());
  std::map<std::string, std::string> reasons;
  for (const v1::MethodRefusal& refusal : response.method_refusals()) {
    reasons[refusal.name()] = refusal.reason();
  }
  EXPECT_THAT(
      reasons,
      UnorderedElementsAre(
          Pair("cam",
               "method \"cam\" needs a linear layer directly behind global "
               "average pooling; this model has none that maps can be had of"),
          Pair("norm_grad_real_conv",
               "method \"norm_grad_real_conv\" needs a 2-d convolution; this "
               "model has none that maps can be had of"),
          Pair("lrp_gamma",
               "method \"lrp_gamma\" is not defined for this model: it has "
               "operator aten::silu (layer \"act\")")));
  for (const v1::Method& method : response.methods()) {
    EXPECT_EQ(reasons.count(method.name()), 0) << method.name();
  }
}

TEST(ModelServiceTest, AFailedModelStillTellsWhy) {
  TestServer server;
  server.table().MarkListed();
  server.table().Reserve("bad", 1);
  server.table().Fail("bad", 1, "labels.txt: line 2 is empty");
  grpc::ClientContext context;
  v1::GetModelResponse response;
  ASSERT_TRUE(server.models().GetModel(&context, {}, &response).ok());
  EXPECT_EQ(response.model().name(), "bad");
  EXPECT_EQ(response.versions(0).message(), "labels.txt: line 2 is empty");
  EXPECT_EQ(response.layers_size(), 0);
}

TEST(ModelServiceTest, BadQuestionsGetTheCodesOfTheTable) {
  TestServer server;
  server.AddFakeModel();
  const auto ask = [&](const std::string& model, int64_t version) {
    grpc::ClientContext context;
    v1::GetModelRequest request;
    v1::GetModelResponse response;
    request.mutable_model()->set_name(model);
    request.mutable_model()->set_version(version);
    return server.models().GetModel(&context, request, &response).error_code();
  };
  EXPECT_EQ(ask("fake", 1), grpc::StatusCode::OK);
  EXPECT_EQ(ask("fake", 0), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ask("fake", 7), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(ask("nope", 1), grpc::StatusCode::NOT_FOUND);
}

}  // namespace
}  // namespace saliency::model_service_test
