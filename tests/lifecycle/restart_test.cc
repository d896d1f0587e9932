// Two servers behind one client that takes them in turn, one of them killed and
// started again while calls come in: nobody notices.

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "client/saliency_client.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/end_to_end/wire.h"
#include "tests/lifecycle/laid_over.h"
#include "tests/lifecycle/load.h"
#include "tests/lifecycle/served.h"

namespace saliency::restart_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Key;
using ::testing::Not;

// As the command line makes it: retries and all.
std::unique_ptr<SaliencyClient> ClientOfBoth(const std::string& one,
                                             const std::string& other) {
  ClientOptions options;
  options.channel.servers = {one, other};
  options.timeout = kPatience;
  return SaliencyClient::Connect(options).value();
}

std::map<std::string, std::string> FilesBelow(const std::string& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) {
      files[entry.path().string()] = ReadBytes(entry.path().string());
    }
  }
  return files;
}

// Waits until `server` has answered a question that came after this was called.
void AwaitItsTurn(const ServerProcess& server, Load& load) {
  const MetricLabels answers = {{"rpc", "ComputeSaliency"}, {"code", "OK"}};
  const double before =
      server.Metrics()->Sum("saliency_requests_total", answers);
  while (server.Metrics()->Sum("saliency_requests_total", answers) <= before) {
    ASSERT_TRUE(load.AwaitOk(1));
  }
}

// Waits by the port for probes; the other port need not be on 127.0.0.1.
void AwaitServing(const ServerProcess& server, const std::string& service) {
  HealthWatch watch(grpc::CreateChannel(server.health_address(),
                                        grpc::InsecureChannelCredentials()),
                    service);
  auto state = HealthCheckResponse::NOT_SERVING;
  while (state == HealthCheckResponse::NOT_SERVING ||
         state == HealthCheckResponse::SERVICE_UNKNOWN) {
    state = watch.Next();
  }
  EXPECT_EQ(state, HealthCheckResponse::SERVING);
}

TEST(RestartTest, KillingAndRestartingOneOfTwoServersFailsNoCall) {
  ModelFolder models;
  AddModel(models);
  const auto files = FilesBelow(models.path());
  auto one = Serve(models);
  const auto other = Serve(models);
  ASSERT_TRUE(one->AwaitServing().ok());
  ASSERT_TRUE(other->AwaitServing().ok());
  const std::string address = one->address();
  const auto client = ClientOfBoth(address, other->address());
  Load load({}, [&] { return client->ComputeSaliency(Question()).status(); });
  for (int round = 0; round < 3; ++round) {
    SCOPED_TRACE(round);
    AwaitItsTurn(*one, load);
    AwaitItsTurn(*other, load);
    one->process().Signal(SIGKILL);
    EXPECT_EQ(one->process().AwaitExit(), 128 + SIGKILL);
    ASSERT_TRUE(load.AwaitOk(50));
    one = Serve(models, {"--listen-address=" + address});
    // Calls go on while it loads, and reach it when it is ready.
    AwaitItsTurn(*one, load);
  }
  load.Stop();
  EXPECT_THAT(load.outcomes(), ElementsAre(Key("OK")));
  EXPECT_EQ(FilesBelow(models.path()), files) << "the repository is intact";
}

// Drained, not killed: as in a rolling update.
TEST(RestartTest, DrainingOneOfTwoServersFailsNoCall) {
  ModelFolder models;
  AddModel(models);
  const auto one = Serve(models, {"--drain-delay=1s"});
  const auto other = Serve(models);
  ASSERT_TRUE(one->AwaitServing().ok());
  ASSERT_TRUE(other->AwaitServing().ok());
  const auto client = ClientOfBoth(one->address(), other->address());
  Load load({}, [&] { return client->ComputeSaliency(Question()).status(); });
  AwaitItsTurn(*one, load);
  AwaitItsTurn(*other, load);
  EXPECT_EQ(one->Stop(), 0);
  ASSERT_TRUE(load.AwaitOk(50));
  load.Stop();
  EXPECT_THAT(load.outcomes(), ElementsAre(Key("OK")));
  EXPECT_THAT(one->process().err(), Not(HasSubstr("code=UNAVAILABLE")))
      << "the delay lets clients hear of it before calls are refused";
}

TEST(RestartTest, OfTwoServersTheOneThatIsNotReadyGetsNoImages) {
  ModelFolder good;
  AddModel(good);
  ModelFolder half;
  AddModel(half);
  half.folder().Write("broken/1/model.pt", "no model");
  const auto ready = Serve(good);
  const auto unready = Serve(half);
  ASSERT_TRUE(ready->AwaitServing().ok());
  ASSERT_TRUE(unready->AwaitServing("model/resnet").ok());
  const auto client = ClientOfBoth(unready->address(), ready->address());
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(client->ComputeSaliency(Question()).ok());
  }
  EXPECT_EQ(unready->Metrics()->Sum("saliency_requests_total",
                                    {{"rpc", "ComputeSaliency"}}),
            0);
}

// One of its models is broken, the other answers.
TEST(RestartTest, AServerAloneIsAskedThoughItIsNotReady) {
  ModelFolder half;
  AddModel(half);
  half.folder().Write("broken/1/model.pt", "no model");
  const auto server = Serve(half);
  ASSERT_TRUE(server->AwaitServing("model/resnet").ok());
  const std::string port =
      server->address().substr(server->address().rfind(':'));
  for (const std::string& address : {server->address(), "localhost" + port}) {
    SCOPED_TRACE(address);
    ClientOptions options;
    options.channel.servers = {address};
    options.timeout = kPatience;
    const auto client = SaliencyClient::Connect(options).value();
    const auto answer = client->ComputeSaliency(Question());
    EXPECT_TRUE(answer.ok()) << answer.status();
  }
}

// As a headless service of Kubernetes has; only the client knows the name.
TEST(RestartTest, OfOneNamesTwoServersTheOneThatIsNotReadyGetsNoImages) {
  const std::optional<std::string> unshare_flag = UnshareFlag();
  if (!unshare_flag.has_value()) {
    GTEST_SKIP() << "this machine allows no mounts of one's own";
  }
  ModelFolder good;
  AddModel(good);
  ModelFolder half;
  AddModel(half);
  half.folder().Write("broken/1/model.pt", "no model");
  const auto unready = Serve(half, {"--health-address=127.0.0.1:0"});
  const std::string port =
      unready->address().substr(unready->address().rfind(':'));
  const auto ready = Serve(good, {"--listen-address=127.0.0.2" + port,
                                  "--health-address=127.0.0.1:0"});
  AwaitServing(*ready, "");
  AwaitServing(*unready, "model/resnet");
  const TemporaryFolder etc;
  etc.Write("hosts", "127.0.0.1 two.test\n127.0.0.2 two.test\n");
  const ProgramResult bench = RunProgram(
      {.command = WithLaidOver(
           *unshare_flag, {.ours = etc / "hosts", .system = "/etc/hosts"},
           {SALIENCY_CLIENT_BINARY, "bench", SampleFolder(),
            "--server=two.test" + port, "--model=resnet", "--method=norm_grad",
            "--layer=layer3", "--concurrency=4", "--requests=100"}),
       .environment = {"no_grpc_proxy=two.test"}});
  EXPECT_EQ(bench.exit_code, 0) << bench.err;
  const auto asked = [](const ServerProcess& server) {
    return server.Metrics()->Sum("saliency_requests_total",
                                 {{"rpc", "ComputeSaliency"}});
  };
  EXPECT_EQ(asked(*unready), 0);
  EXPECT_GE(asked(*ready), 100);
}

TEST(RestartTest, WhenNoneOfThemIsReadyTheClientSaysSoAndMayStillAsk) {
  ModelFolder models;
  models.folder().Write("broken/1/model.pt", "no model");
  const auto one = Serve(models);
  const auto other = Serve(models);
  ClientOptions options;
  options.channel.servers = {one->address(), other->address()};
  options.channel.retry.max_attempts = 1;
  options.timeout = kPatience;
  const auto client = SaliencyClient::Connect(options).value();
  const absl::Status status = client->ComputeSaliency(Question()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("is ready"));
  EXPECT_TRUE(client->ListModels({}).ok());
}

}  // namespace
}  // namespace saliency::restart_test
