// Mutual TLS and tokens, server and command line as an operator starts them.

#include <memory>
#include <string>
#include <vector>

#include "client/saliency_client.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/end_to_end/child_process.h"
#include "tests/lifecycle/served.h"
#include "tests/server/temporary_folder.h"
#include "tests/support/test_authority.h"

namespace saliency::secured_test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kToken[] = "open.sesame";

class SecuredTest : public testing::Test {
 protected:
  SecuredTest() {
    AddModel(models_);
    const TestAuthority authority("authority");
    const KeyAndCertificate server = authority.Issue("server");
    const KeyAndCertificate client = authority.Issue("client");
    folder_.Write("ca.pem", authority.cert());
    folder_.Write("server.pem", server.cert);
    folder_.Write("server.key", server.key);
    folder_.Write("client.pem", client.cert);
    folder_.Write("client.key", client.key);
    folder_.Write("tokens", std::string("# ours\nabracadabra\n") + kToken);
    folder_.Write("token", kToken);
    folder_.Write("guess", "guess");
  }

  std::unique_ptr<ServerProcess> ServeSecured() {
    auto server = Serve(models_, {"--tls-cert=" + folder_ / "server.pem",
                                  "--tls-key=" + folder_ / "server.key",
                                  "--tls-client-ca=" + folder_ / "ca.pem",
                                  "--token-file=" + folder_ / "tokens",
                                  "--health-address=127.0.0.1:0"});
    const auto probes = grpc::CreateChannel(server->health_address(),
                                            grpc::InsecureChannelCredentials());
    HealthWatch watch(probes, "");
    while (watch.Next() == HealthCheckResponse::NOT_SERVING) {
    }
    return server;
  }

  // The command line client.
  ProgramResult Saliency(const ServerProcess& server,
                         const std::vector<std::string>& flags) {
    std::vector<std::string> command = {SALIENCY_CLIENT_BINARY, "models",
                                        "--server=" + server.address(),
                                        "--timeout=60s"};
    command.insert(command.end(), flags.begin(), flags.end());
    return RunProgram({.command = command});
  }

  ModelFolder models_;
  TemporaryFolder folder_;
};

TEST_F(SecuredTest, TheCommandLineGetsInWithCertificateAndTokenAlone) {
  const auto server = ServeSecured();
  const std::string ca = "--tls-ca=" + folder_ / "ca.pem";
  const std::string cert = "--tls-cert=" + folder_ / "client.pem";
  const std::string key = "--tls-key=" + folder_ / "client.key";
  const std::string token = "--token-file=" + folder_ / "token";
  const ProgramResult all = Saliency(*server, {ca, cert, key, token});
  EXPECT_EQ(all.exit_code, 0) << all.err;
  EXPECT_THAT(all.out, HasSubstr(kModel));

  const ProgramResult no_token = Saliency(*server, {ca, cert, key});
  EXPECT_EQ(no_token.exit_code, 1);
  EXPECT_THAT(no_token.err, HasSubstr("--token-file"));
  const ProgramResult wrong_token =
      Saliency(*server, {ca, cert, key, "--token-file=" + folder_ / "guess"});
  EXPECT_EQ(wrong_token.exit_code, 1);
  EXPECT_THAT(wrong_token.err, HasSubstr("the token is not valid"));
  EXPECT_EQ(Saliency(*server, {ca, token}).exit_code, 1) << "no certificate";
  EXPECT_EQ(Saliency(*server, {token}).exit_code, 1) << "plain text";

  EXPECT_EQ(server->Stop(), 0);
  for (const char* secret : {kToken, "abracadabra", "guess"}) {
    EXPECT_THAT(server->process().err(), Not(HasSubstr(secret)));
  }
}

// gRPC's own health checks, too, show the certificate and the token.
TEST_F(SecuredTest, AClientOfSeveralServersIsLetIn) {
  const auto one = ServeSecured();
  const auto other = ServeSecured();
  ClientOptions options;
  options.channel.servers = {one->address(), other->address()};
  options.channel.tls = {.ca = folder_ / "ca.pem",
                         .cert = folder_ / "client.pem",
                         .key = folder_ / "client.key"};
  options.token = kToken;
  options.timeout = kPatience;
  const auto client = SaliencyClient::Connect(options).value();
  EXPECT_TRUE(client->ListModels({}).ok());
  const auto answered = [](const ServerProcess& server) {
    return server.Metrics()->Sum("saliency_requests_total",
                                 {{"rpc", "ComputeSaliency"}, {"code", "OK"}});
  };
  while (answered(*one) == 0 || answered(*other) == 0) {
    const auto answer = client->ComputeSaliency(Question());
    ASSERT_TRUE(answer.ok()) << answer.status();
  }
}

}  // namespace
}  // namespace saliency::secured_test
