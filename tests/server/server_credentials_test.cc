// Which TLS files are taken, and who may connect with what: real handshakes on
// a loopback port.

#include "server/security/server_credentials.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/security/tls_file_watch.h"
#include "tests/server/temporary_folder.h"
#include "tests/server/test_server.h"
#include "tests/support/test_authority.h"

namespace saliency::server_credentials_test {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

constexpr absl::Duration kPatience = absl::Seconds(60);

class TlsTest : public testing::Test {
 protected:
  // cert.pem and key.pem of that folder, which is made.
  ServerTlsFiles Write(const std::string& folder,
                       const KeyAndCertificate& files) {
    folder_.Write(folder + "/cert.pem", files.cert);
    folder_.Write(folder + "/key.pem", files.key);
    return {.cert = folder_ / (folder + "/cert.pem"),
            .key = folder_ / (folder + "/key.pem")};
  }
  std::string WriteCa(const std::string& pem) {
    folder_.Write("ca.pem", pem);
    return folder_ / "ca.pem";
  }

  TemporaryFolder folder_;
  TestAuthority authority_{"the servers' authority"};
};

std::unique_ptr<TestServer> Serve(const ServerTlsFiles& tls) {
  TestServer::Options options;
  options.listen = {.address = "127.0.0.1:0", .tls = tls};
  auto server = std::make_unique<TestServer>(options);
  server->AddFakeModel();
  return server;
}

std::shared_ptr<grpc::ChannelCredentials> Trusting(
    const std::string& ca, const KeyAndCertificate& own = {}) {
  return grpc::SslCredentials({.pem_root_certs = ca,
                               .pem_private_key = own.key,
                               .pem_cert_chain = own.cert});
}

// A channel that shares no connection with others.
std::shared_ptr<grpc::Channel> Open(
    int port, const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", port),
                                   credentials, arguments);
}

grpc::StatusCode ListModels(const std::shared_ptr<grpc::Channel>& channel) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
  v1::ListModelsResponse response;
  return v1::ModelService::NewStub(channel)
      ->ListModels(&context, {}, &response)
      .error_code();
}

grpc::StatusCode CallOnce(
    int port, const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
  return ListModels(Open(port, credentials));
}

// Tries anew until it is so.
bool Await(const std::function<bool()>& so) {
  const absl::Time deadline = absl::Now() + kPatience;
  while (absl::Now() < deadline) {
    if (so()) return true;
  }
  return false;
}

TEST_F(TlsTest, NoFilesAreFine) { EXPECT_TRUE(CheckTlsFiles({}).ok()); }

TEST_F(TlsTest, AWrongFileIsNamedWithItsFlag) {
  const KeyAndCertificate good = authority_.Issue("good");
  const KeyAndCertificate other = authority_.Issue("other");
  const KeyAndCertificate expired =
      authority_.Issue("old", {.until = -absl::Minutes(1)});
  const KeyAndCertificate future =
      authority_.Issue("new", {.from = absl::Hours(1)});
  const std::string cut = good.cert + good.cert.substr(0, 200);
  const std::string encrypted =
      "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n"
      "-----END ENCRYPTED PRIVATE KEY-----\n";
  const struct {
    KeyAndCertificate files;
    const char* flag;
    const char* why;
  } cases[] = {
      {{good.key, "no PEM"}, "--tls-cert: ", "holds no certificate"},
      {{good.key, ""}, "--tls-cert: ", "holds no certificate"},
      {{good.key, good.key}, "--tls-cert: ", "holds no certificate"},
      {{good.key, cut}, "--tls-cert: ", "certificate 2 cannot be read"},
      {{expired.key, expired.cert}, "--tls-cert: ", "has expired"},
      {{future.key, future.cert}, "--tls-cert: ", "is not valid yet"},
      {{"no PEM", good.cert}, "--tls-key: ", "holds no private key"},
      {{good.cert, good.cert}, "--tls-key: ", "holds no private key"},
      {{other.key, good.cert}, "--tls-key: ", "is not the key of"},
  };
  for (const auto& [files, flag, why] : cases) {
    SCOPED_TRACE(absl::StrCat(flag, why));
    const absl::Status status = CheckTlsFiles(Write("case", files));
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(status.message()), HasSubstr(flag));
    EXPECT_THAT(std::string(status.message()), HasSubstr(folder_.path()));
    EXPECT_THAT(std::string(status.message()), HasSubstr(why));
  }
  EXPECT_THAT(
      std::string(
          CheckTlsFiles(Write("case", {encrypted, good.cert})).message()),
      HasSubstr("--tls-key: "));
  EXPECT_TRUE(CheckTlsFiles(Write("case", good)).ok());
}

TEST_F(TlsTest, AMissingFileIsNamedWithItsFlag) {
  const ServerTlsFiles good = Write("good", authority_.Issue("good"));
  const auto message = [](const ServerTlsFiles& files) {
    return std::string(CheckTlsFiles(files).message());
  };
  EXPECT_THAT(message({.cert = "/no/cert", .key = good.key}),
              HasSubstr("--tls-cert: /no/cert: No such file"));
  EXPECT_THAT(message({.cert = good.cert, .key = "/no/key"}),
              HasSubstr("--tls-key: /no/key: No such file"));
  EXPECT_THAT(
      message({.cert = good.cert, .key = good.key, .client_ca = "/no/ca"}),
      HasSubstr("--tls-client-ca: /no/ca: No such file"));
  EXPECT_THAT(
      message(
          {.cert = good.cert, .key = good.key, .client_ca = folder_ / "good"}),
      HasSubstr("--tls-client-ca: "));
}

TEST_F(TlsTest, AServerDoesNotStartWithWrongFiles) {
  const auto server = GrpcServer::Start(
      {.address = "127.0.0.1:0", .tls = {.cert = "/no/cert", .key = "/k"}}, {});
  EXPECT_THAT(std::string(server.status().message()),
              HasSubstr("--tls-cert: /no/cert"));
}

TEST_F(TlsTest, OnlyClientsThatTrustTheAuthorityConnect) {
  const auto server = Serve(Write("server", authority_.Issue("server")));
  EXPECT_EQ(CallOnce(server->port(), Trusting(authority_.cert())),
            grpc::StatusCode::OK);
  const TestAuthority other("another authority");
  EXPECT_EQ(CallOnce(server->port(), Trusting(other.cert())),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(CallOnce(server->port(), grpc::InsecureChannelCredentials()),
            grpc::StatusCode::UNAVAILABLE)
      << "plain text";
}

TEST_F(TlsTest, MutualTlsLetsInOnlyClientsOfItsAuthority) {
  const TestAuthority clients("the clients' authority");
  ServerTlsFiles files = Write("server", authority_.Issue("server"));
  files.client_ca = WriteCa(clients.cert());
  const auto server = Serve(files);
  const auto call = [&](const KeyAndCertificate& own) {
    return CallOnce(server->port(), Trusting(authority_.cert(), own));
  };
  EXPECT_EQ(call(clients.Issue("friend")), grpc::StatusCode::OK);
  EXPECT_EQ(call({}), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(call(authority_.Issue("of the servers")),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(call(clients.Issue("late", {.until = -absl::Minutes(1)})),
            grpc::StatusCode::UNAVAILABLE);
}

// As Kubernetes does it: a link to a folder, changed in one step.
TEST_F(TlsTest, RenewedFilesAreUsedByNewConnections) {
  Write("1", authority_.Issue("server"));
  folder_.Link("now", "1");
  const ServerTlsFiles files = {.cert = folder_ / "now/cert.pem",
                                .key = folder_ / "now/key.pem"};
  const auto server = Serve(files);
  const auto connected = Open(server->port(), Trusting(authority_.cert()));
  ASSERT_EQ(ListModels(connected), grpc::StatusCode::OK);

  const TestAuthority renewed("renewed authority");
  const auto renewed_works = [&] {
    return CallOnce(server->port(), Trusting(renewed.cert())) ==
           grpc::StatusCode::OK;
  };
  EXPECT_FALSE(renewed_works());
  Write("2", renewed.Issue("server"));
  folder_.Link("next", "2");
  std::filesystem::rename(folder_ / "next", folder_ / "now");
  EXPECT_TRUE(Await(renewed_works));
  EXPECT_EQ(ListModels(connected), grpc::StatusCode::OK)
      << "a connection that stands is not broken";
  EXPECT_EQ(CallOnce(server->port(), Trusting(authority_.cert())),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(Await([&] { return !server->log_lines().empty(); }));
  EXPECT_THAT(server->log_lines(), Contains(HasSubstr("TLS files changed")));
  EXPECT_EQ(server->tls_watch()->refused(), 0);
}

// Each spoils files that were good, in another way; what was good is shown on,
// told and counted.
TEST_F(TlsTest, WhatWasGoodStaysWhenFilesAreSpoilt) {
  const KeyAndCertificate good = authority_.Issue("server");
  const KeyAndCertificate other = authority_.Issue("server");
  const KeyAndCertificate expired =
      authority_.Issue("server", {.until = -absl::Minutes(1)});
  const KeyAndCertificate future =
      authority_.Issue("server", {.from = absl::Hours(1)});
  const struct {
    const char* name;
    KeyAndCertificate files;
    const char* why;
  } cases[] = {{"other key", {other.key, good.cert}, "is not the key of"},
               {"empty key", {"", good.cert}, "holds no private key"},
               {"no PEM", {good.key, "none"}, "holds no certificate"},
               {"expired", {expired.key, expired.cert}, "has expired"},
               {"future", {future.key, future.cert}, "is not valid yet"}};
  const ServerTlsFiles files = Write("server", good);
  const auto server = Serve(files);
  for (const auto& invalid : cases) {
    SCOPED_TRACE(invalid.name);
    Write("server", invalid.files);
    ASSERT_TRUE(Await([&] {
      return absl::StrContains(absl::StrJoin(server->log_lines(), " "),
                               invalid.why);
    }));
    EXPECT_EQ(CallOnce(server->port(), Trusting(authority_.cert())),
              grpc::StatusCode::OK);
  }
  const int64_t refused = server->tls_watch()->refused();
  EXPECT_GE(refused, 5);
  std::filesystem::remove(files.cert);
  ASSERT_TRUE(Await([&] { return server->tls_watch()->refused() > refused; }));
  EXPECT_EQ(CallOnce(server->port(), Trusting(authority_.cert())),
            grpc::StatusCode::OK);

  const TestAuthority renewed("renewed authority");
  Write("server", renewed.Issue("server"));
  EXPECT_TRUE(Await([&] {
    return CallOnce(server->port(), Trusting(renewed.cert())) ==
           grpc::StatusCode::OK;
  })) << "mended files are used";
}

TEST_F(TlsTest, ASpoiltClientAuthorityLetsTheSameCallersIn) {
  ServerTlsFiles files = Write("server", authority_.Issue("server"));
  files.client_ca = WriteCa(authority_.cert());
  const auto server = Serve(files);
  const auto caller = Trusting(authority_.cert(), authority_.Issue("caller"));
  ASSERT_EQ(CallOnce(server->port(), caller), grpc::StatusCode::OK);
  WriteCa("");
  ASSERT_TRUE(Await([&] { return server->tls_watch()->refused() == 1; }));
  EXPECT_EQ(CallOnce(server->port(), caller), grpc::StatusCode::OK);
  EXPECT_EQ(CallOnce(server->port(), Trusting(authority_.cert())),
            grpc::StatusCode::UNAVAILABLE)
      << "who shows none is still not let in";
}

}  // namespace
}  // namespace saliency::server_credentials_test
