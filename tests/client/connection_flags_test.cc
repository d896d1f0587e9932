// What the flags of a connection make of it.

#include "client/cli/connection_flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "grpcpp/security/server_credentials.h"
#include "tests/client/fake_server.h"
#include "tests/client/run_command.h"
#include "tests/support/test_authority.h"

namespace saliency::connection_flags_test {
namespace {

using ::testing::HasSubstr;

TEST(ConnectionFlagsTest, TheServerMustHaveTheNameThatIsAskedFor) {
  const TestAuthority authority("authority");
  const KeyAndCertificate own = authority.Issue("server");
  grpc::SslServerCredentialsOptions ssl;
  ssl.pem_key_cert_pairs.push_back({own.key, own.cert});
  const FakeServer server(nullptr, grpc::SslServerCredentials(ssl));
  const TestFolder folder;
  const std::string ca = folder.AddFile("ca.pem", authority.cert());
  const auto models = [&](const std::vector<std::string>& flags) {
    std::vector<std::string> arguments = {"models", "--server",
                                          server.address(), "--tls-ca", ca};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    return RunCommand(arguments);
  };
  // Its certificate is for 127.0.0.1 and localhost.
  EXPECT_EQ(models({}).exit_code, 0);
  EXPECT_EQ(models({"--tls-server-name", "localhost"}).exit_code, 0);
  EXPECT_EQ(models({"--tls-server-name", "saliency-servers"}).exit_code, 1);
}

TEST(ConnectionFlagsTest, ANameWithoutTlsIsRefused) {
  const RunResult result =
      RunCommand({"models", "--tls-server-name", "saliency-servers"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("--tls-ca"));
}

}  // namespace
}  // namespace saliency::connection_flags_test
