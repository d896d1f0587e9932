// Where the connection's settings come from: flags, then the environment, then
// the settings file.
#include "client/cli/config_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server_context.h"
#include "tests/client/fake_server.h"
#include "tests/client/made_answers.h"
#include "tests/client/run_command.h"
#include "tests/support/test_authority.h"

namespace saliency::config_file_test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// A variable for the time of a test.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    setenv(name, value.c_str(), 1);
  }
  ~Variable() { unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* const name_;
};

// A server with TLS that wants a certificate of its callers and tells what
// token they bring.
class SecureServerTest : public ::testing::Test {
 protected:
  SecureServerTest() {
    folder_.AddFile("ca.pem", authority_.cert());
    const KeyAndCertificate own = authority_.Issue("client");
    folder_.AddFile("client.pem", own.cert);
    folder_.AddFile("client.key", own.key);
    folder_.AddFile("token", "# mine\nfrom-file\n");
  }

  std::string Explain(const std::vector<std::string>& flags,
                      const std::string& config = "") {
    std::vector<std::string> arguments = {"explain", image_};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    token_ = "none";
    const RunResult result = RunCommand(arguments, {.config_file = config});
    return result.exit_code == 0 ? token_ : result.err;
  }

  std::shared_ptr<grpc::ServerCredentials> Credentials() const {
    const KeyAndCertificate own = authority_.Issue("server");
    grpc::SslServerCredentialsOptions ssl(
        GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
    ssl.pem_root_certs = authority_.cert();
    ssl.pem_key_cert_pairs.push_back({own.key, own.cert});
    return grpc::SslServerCredentials(ssl);
  }

  const TestFolder folder_;
  const std::string image_ = folder_.AddImage("cat.png", 6, 9);
  const TestAuthority authority_ = TestAuthority("authority");
  std::string token_;
  const FakeServer server_ = FakeServer(
      [this](grpc::ServerContext& context, const v1::ComputeSaliencyRequest& r,
             v1::ComputeSaliencyResponse& response) {
        const auto& metadata = context.client_metadata();
        const auto found = metadata.find("authorization");
        if (found != metadata.end()) {
          token_.assign(found->second.data(), found->second.size());
        }
        return AnswerWithRamps(r, response);
      },
      Credentials());
};

TEST_F(SecureServerTest, AllOfItCanComeFromTheEnvironment) {
  const Variable server("SALIENCY_SERVER", server_.address());
  const Variable ca("SALIENCY_CLIENT_TLS_CA", folder_.path("ca.pem"));
  EXPECT_THAT(Explain({}), HasSubstr("saliency: ")) << "no certificate";
  const Variable cert("SALIENCY_CLIENT_TLS_CERT", folder_.path("client.pem"));
  const Variable key("SALIENCY_CLIENT_TLS_KEY", folder_.path("client.key"));
  EXPECT_EQ(Explain({}), "none");
  const Variable token("SALIENCY_CLIENT_TOKEN", "from-variable");
  EXPECT_EQ(Explain({}), "Bearer from-variable");
  const Variable file("SALIENCY_CLIENT_TOKEN_FILE", folder_.path("token"));
  EXPECT_EQ(Explain({}), "Bearer from-file");
  const Variable name("SALIENCY_CLIENT_TLS_SERVER_NAME", "elsewhere");
  EXPECT_THAT(Explain({}), HasSubstr("cannot reach"));
  EXPECT_EQ(Explain({"--tls-server-name", "localhost"}), "Bearer from-file")
      << "a flag goes before a variable";
}

TEST_F(SecureServerTest, AllOfItCanComeFromAFileWithItsPathsBesideIt) {
  const std::string config = folder_.AddFile(
      "client.conf",
      absl::StrCat("# ours\n\nserver = ", server_.address(),
                   "\n  tls-ca=\"ca.pem\"\n", "tls-cert = client.pem\n",
                   "tls-key = 'client.key'\n", "token-file = token\n"));
  EXPECT_EQ(Explain({}, config), "Bearer from-file");
  EXPECT_EQ(Explain({"--config", config}), "Bearer from-file");
  const Variable variable("SALIENCY_CLIENT_CONFIG", config);
  EXPECT_EQ(Explain({}), "Bearer from-file");
  folder_.AddFile("other", "another");
  EXPECT_EQ(Explain({"--token-file", folder_.path("other")}), "Bearer another");
}

// A token is not taken along to a server that the file does not name.
TEST_F(SecureServerTest, SettingsOfOneServerAreNotForAnother) {
  const FakeServer plain([this](grpc::ServerContext& context,
                                const v1::ComputeSaliencyRequest& r,
                                v1::ComputeSaliencyResponse& response) {
    token_ = context.client_metadata().contains("authorization") ? "a token"
                                                                 : "no token";
    return AnswerWithRamps(r, response);
  });
  const std::string config = folder_.AddFile(
      "client.conf", absl::StrCat("server = ", server_.address(),
                                  "\ntls-ca = ca.pem\ntoken-file = token\n"));
  EXPECT_EQ(Explain({"--server", plain.address()}, config), "no token");
  const Variable variable("SALIENCY_SERVER", plain.address());
  EXPECT_EQ(Explain({}, config), "no token");
  // A file that names none has settings for any.
  const std::string any = folder_.AddFile("any.conf", "token-file = token\n");
  EXPECT_EQ(Explain({}, any), "a token");
}

TEST(ConfigFileTest, EveryCommandReadsIt) {
  const FakeServer server;
  const TestFolder folder;
  const std::string config =
      folder.AddFile("client.conf", "server = " + server.address() + "\n");
  EXPECT_EQ(RunCommand({"models"}, {.config_file = config}).exit_code, 0);
  EXPECT_EQ(
      RunCommand({"bench", folder.AddImage("cat.png", 4, 4), "--requests", "1"},
                 {.config_file = config})
          .exit_code,
      0);
}

TEST(ConfigFileTest, TheDefaultOneNeedNotBeThereButANamedOneMust) {
  const TestFolder folder;
  const FakeServer server;
  EXPECT_EQ(RunCommand({"models", "--server", server.address()},
                       {.config_file = folder.path("none")})
                .exit_code,
            0);
  const RunResult named =
      RunCommand({"models", "--config", folder.path("none")});
  EXPECT_EQ(named.exit_code, 2);
  EXPECT_THAT(named.err, HasSubstr("No such file"));
  EXPECT_EQ(RunCommand({"models", "--server", server.address(), "--config", ""},
                       {.config_file = folder.AddFile("bad", "nonsense")})
                .exit_code,
            0)
      << "none at all";
}

TEST(ConfigFileTest, MistakesAreNamedWithTheirLine) {
  const TestFolder folder;
  const auto error = [&](const std::string& text) {
    const std::string file = folder.AddFile("client.conf", text);
    const RunResult result = RunCommand({"models", "--config", file});
    EXPECT_EQ(result.exit_code, 2);
    return result.err;
  };
  EXPECT_THAT(error("\ntls_ca = x"),
              AllOf(HasSubstr("client.conf line 2: key \"tls_ca\" not found"),
                    HasSubstr("nearest: \"tls-ca\"")));
  EXPECT_THAT(error("server"), HasSubstr("line 1: \"server\" is not KEY"));
  EXPECT_THAT(error("server = "), HasSubstr("is not KEY = VALUE"));
  EXPECT_THAT(error("server = a:1\nserver = b:1"),
              HasSubstr("line 2: server is set twice"));
}

TEST(DefaultConfigFileTest, LiesInTheConfigurationFolder) {
  const Variable home("HOME", "/somebody");
  EXPECT_EQ(DefaultConfigFile(), "/somebody/.config/saliency/client.conf");
  const Variable xdg("XDG_CONFIG_HOME", "/etc/xdg");
  EXPECT_EQ(DefaultConfigFile(), "/etc/xdg/saliency/client.conf");
}

TEST(ReadConfigFileTest, TildeIsHome) {
  const Variable home("HOME", "/somebody");
  const TestFolder folder;
  const auto settings =
      ReadConfigFile(folder.AddFile("c", "token-file = ~/t\ntls-ca = /a/b\n"));
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ((*settings)[0].value, "/somebody/t");
  EXPECT_EQ((*settings)[1].value, "/a/b");
}

}  // namespace
}  // namespace saliency::config_file_test
