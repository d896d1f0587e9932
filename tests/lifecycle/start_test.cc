// The order of a start: the port first, then model by model; health tells each.

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "saliency/v1/model_service.grpc.pb.h"
#include "tests/end_to_end/wire.h"
#include "tests/lifecycle/served.h"

namespace saliency::start_test {
namespace {

using ::testing::HasSubstr;

TEST(StartTest, ThePortIsOpenAtOnceAndCallsWaitForTheirModel) {
  ModelFolder models;
  AddModel(models);
  EndlessModel endless(models, "required: false");
  const auto server = Serve(models, {"--parallel-loads=1"});
  HealthWatch whole(server->channel(), "");
  HealthWatch model(server->channel(), "model/resnet");
  EXPECT_EQ(whole.Next(), HealthCheckResponse::NOT_SERVING);
  auto state = model.Next();
  if (state == HealthCheckResponse::SERVICE_UNKNOWN) state = model.Next();
  EXPECT_EQ(state, HealthCheckResponse::NOT_SERVING);
  const absl::Status early = AskOnce(server->channel());
  EXPECT_EQ(early.code(), absl::StatusCode::kUnavailable) << early;
  const auto listed = ClientOf(*server)->ListModels({});
  ASSERT_TRUE(listed.ok()) << listed.status();
  ASSERT_EQ(listed->models_size(), 2);
  EXPECT_EQ(listed->models(1).name(), kModel);
  EXPECT_EQ(listed->models(1).versions(0).state(), v1::MODEL_STATE_LOADING);

  endless.End();
  EXPECT_EQ(model.Next(), HealthCheckResponse::SERVING);
  EXPECT_TRUE(AskOnce(server->channel()).ok());
  EXPECT_EQ(whole.Next(), HealthCheckResponse::SERVING)
      << "what has failed is not required";
  EXPECT_EQ(CheckHealth(server->channel(), "model/a_endless"),
            HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(server->Stop(), 0);
}

TEST(StartTest, AModelThatIsReadForHoursHoldsUpNoneOfTheOthers) {
  ModelFolder models;
  AddModel(models);
  const EndlessModel endless(models, "required: false");
  const auto server = Serve(models);
  ASSERT_TRUE(server->AwaitServing("model/resnet").ok());
  EXPECT_TRUE(AskOnce(server->channel()).ok());
  const auto listed = ClientOf(*server)->ListModels({});
  ASSERT_TRUE(listed.ok()) << listed.status();
  EXPECT_EQ(listed->models(0).versions(0).state(), v1::MODEL_STATE_LOADING);
  EXPECT_EQ(server->Stop(), 0);
}

TEST(StartTest, ALoadWhoseTimeIsUpFailsAndIsWaitedForByNobody) {
  ModelFolder models;
  AddModel(models);
  const EndlessModel endless(models, "required: false");
  const auto server =
      Serve(models, {"--parallel-loads=1", "--load-timeout=20s"});
  ASSERT_TRUE(server->process().AwaitError("not loaded within 20s"));
  ASSERT_TRUE(server->AwaitServing("model/resnet").ok());
  v1::ComputeSaliencyRequest question = Question();
  question.mutable_model()->set_name("a_endless");
  const absl::Status refused = AskOnce(server->channel(), question);
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("failed to load: not loaded within 20s"));
  EXPECT_EQ(server->Stop(), 0);
}

TEST(StartTest, ARequiredModelThatFailsKeepsTheWholeFromServingButNoOther) {
  ModelFolder models;
  AddModel(models);
  models.folder().Write("broken/1/model.pt", "no model");
  const auto server = Serve(models, {"--health-address=127.0.0.1:0"});
  ASSERT_TRUE(server->AwaitServing("model/resnet").ok());
  EXPECT_EQ(CheckHealth(server->channel(), ""),
            HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(CheckHealth(server->channel(), "saliency.v1.SaliencyService"),
            HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(CheckHealth(server->channel(), "model/broken"),
            HealthCheckResponse::NOT_SERVING);
  EXPECT_TRUE(AskOnce(server->channel()).ok());
  // The port for probes says the same, and nothing else.
  const auto probes = grpc::CreateChannel(server->health_address(),
                                          grpc::InsecureChannelCredentials());
  EXPECT_EQ(CheckHealth(probes, ""), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(CheckHealth(probes, "model/resnet"), HealthCheckResponse::SERVING);
  EXPECT_EQ(AskOnce(probes).code(), absl::StatusCode::kUnimplemented);
}

TEST(StartTest, WithoutAnyModelNothingServesAndTheLogNamesTheFolder) {
  const ModelFolder models;
  const auto server = Serve(models);
  ASSERT_TRUE(server->process().AwaitError("it has no models"));
  EXPECT_THAT(server->process().err(), HasSubstr(models.path()));
  EXPECT_EQ(CheckHealth(server->channel(), ""),
            HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(CheckHealth(server->channel(), "saliency.v1.ModelService"),
            HealthCheckResponse::SERVING);
  EXPECT_EQ(server->Stop(), 0);
}

TEST(StartTest, APortThatIsTakenStopsTheStart) {
  ModelFolder models;
  AddModel(models);
  const auto server = Serve(models);
  const ProgramResult second = RunProgram(
      {.command = {SALIENCY_SERVER_BINARY, "--models=" + models.path(),
                   "--listen-address=" + server->address(),
                   "--metrics-address=off"}});
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.err, HasSubstr("--listen-address " + server->address() +
                                    ": cannot listen there"));
}

TEST(StartTest, AWrongSecurityFileStopsTheStartNamingItsFlag) {
  ModelFolder models;
  AddModel(models);
  const auto start = [&](const std::vector<std::string>& flags,
                         const std::string& host = "127.0.0.1") {
    std::vector<std::string> command = {
        SALIENCY_SERVER_BINARY, "--models=" + models.path(),
        "--listen-address=" + host + ":0", "--metrics-address=off"};
    command.insert(command.end(), flags.begin(), flags.end());
    return RunProgram({.command = command});
  };
  const ProgramResult no_cert = start({"--tls-cert=/no/c", "--tls-key=/no/k"});
  EXPECT_EQ(no_cert.exit_code, 1);
  EXPECT_THAT(no_cert.err, HasSubstr("--tls-cert: /no/c: No such file"));
  const ProgramResult no_tokens = start({"--token-file=/no/tokens"});
  EXPECT_EQ(no_tokens.exit_code, 1);
  EXPECT_THAT(no_tokens.err, HasSubstr("--token-file: /no/tokens: No such"));
  const ProgramResult open = start({}, "0.0.0.0");
  EXPECT_EQ(open.exit_code, 2);
  EXPECT_THAT(open.err, HasSubstr("--insecure"));
}

}  // namespace
}  // namespace saliency::start_test
