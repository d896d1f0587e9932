// A token reaches its server, whole and once, and nobody else.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/saliency_client.h"
#include "grpcpp/security/server_credentials.h"
#include "tests/client/fake_server.h"
#include "tests/client/run_command.h"
#include "tests/support/test_authority.h"

namespace saliency::token_test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

ClientOptions OptionsFor(const std::vector<std::string>& servers) {
  ClientOptions options;
  options.channel.servers = servers;
  options.token = "swordfish";
  options.timeout = absl::Seconds(60);
  return options;
}

// Answers with all that came as authorization.
grpc::Status EchoAuthorization(grpc::ServerContext& context,
                               const v1::ComputeSaliencyRequest&,
                               v1::ComputeSaliencyResponse& response) {
  const auto [first, last] =
      context.client_metadata().equal_range("authorization");
  std::string all;
  for (auto it = first; it != last; ++it) {
    absl::StrAppend(&all, "[",
                    std::string(it->second.data(), it->second.size()), "]");
  }
  response.mutable_summary()->mutable_model()->set_name(all);
  return grpc::Status::OK;
}

TEST(TokenTest, IsNotSentInPlainTextToAnotherMachine) {
  const std::vector<std::vector<std::string>> lists = {
      {"10.0.0.1:50051"},
      {"saliency.example:50051"},
      {"127.example.com:50051"},
      {"[2001:db8::1]:50051"},
      {"127.0.0.1:50051", "10.0.0.1:50051"}};
  for (const std::vector<std::string>& servers : lists) {
    const absl::Status status =
        SaliencyClient::Connect(OptionsFor(servers)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr(servers.back()));
    EXPECT_THAT(std::string(status.message()), HasSubstr("--tls-ca"));
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("swordfish")));
  }
}

TEST(TokenTest, WithoutATokenPlainTextIsTheCallersChoice) {
  ClientOptions options = OptionsFor({"10.0.0.1:50051"});
  options.token = "";
  EXPECT_TRUE(SaliencyClient::Connect(options).ok());
}

TEST(TokenTest, GoesInPlainTextToThisMachine) {
  const FakeServer server(&EchoAuthorization);
  const auto client =
      SaliencyClient::Connect(OptionsFor({server.address()})).value();
  EXPECT_EQ(client->ComputeSaliency({})->summary().model().name(),
            "[Bearer swordfish]");
}

TEST(TokenTest, GoesOverTlsOnce) {
  const TestAuthority authority("authority");
  const KeyAndCertificate own = authority.Issue("server");
  grpc::SslServerCredentialsOptions ssl;
  ssl.pem_key_cert_pairs.push_back({own.key, own.cert});
  const FakeServer server(&EchoAuthorization, grpc::SslServerCredentials(ssl));
  const TestFolder folder;
  // One server, and a list.
  for (const std::vector<std::string>& servers :
       std::vector<std::vector<std::string>>{
           {server.address()}, {server.address(), server.address()}}) {
    ClientOptions options = OptionsFor(servers);
    options.channel.tls.ca = folder.AddFile("ca.pem", authority.cert());
    const auto answer =
        SaliencyClient::Connect(options).value()->ComputeSaliency({});
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(answer->summary().model().name(), "[Bearer swordfish]");
  }
}

TEST(TokenTest, TheCommandLineRefusesInOneLineThatSaysWhatToDo) {
  const TestFolder folder;
  const RunResult result =
      RunCommand({"models", "--server", "10.0.0.1:50051", "--token-file",
                  folder.AddFile("token", "swordfish\n")});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.err,
            "saliency: the token would travel to 10.0.0.1:50051 in plain text: "
            "turn TLS on (--tls-ca)\n");
}

TEST(TokenTest, TheFirstOfAServersListIsUsed) {
  const TestFolder folder;
  const FakeServer server(&EchoAuthorization);
  const auto run = [&](const std::string& text) {
    return RunCommand({"models", "--server", server.address(), "--token-file",
                       folder.AddFile("token", text)});
  };
  EXPECT_EQ(run("# ours\n\n swordfish \nsecond\n").exit_code, 0);
  const RunResult none = run("# nothing\n");
  EXPECT_EQ(none.exit_code, 2);
  EXPECT_THAT(none.err, HasSubstr("holds no token"));
}

}  // namespace
}  // namespace saliency::token_test
