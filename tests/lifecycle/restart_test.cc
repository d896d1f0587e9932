// Two servers behind one client that takes them in turn, one of them killed and
// started again while calls come in: nobody notices.

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>

#include "client/saliency_client.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/end_to_end/wire.h"
#include "tests/lifecycle/load.h"
#include "tests/lifecycle/served.h"

namespace saliency {
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

TEST(RestartTest, OfTwoServersTheOneThatIsNotReadyGetsNoPictures) {
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
}  // namespace saliency
