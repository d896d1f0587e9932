#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/client/fake_server.h"
#include "tests/client/run_command.h"

namespace saliency::health_command_test {
namespace {

using ::testing::HasSubstr;

RunResult Health(const FakeServer& server,
                 std::vector<std::string> arguments = {}) {
  arguments.insert(arguments.begin(), {"health", "--server", server.address()});
  return RunCommand(arguments);
}

TEST(HealthCommandTest, AServingServerIsExitCodeZero) {
  FakeServer server;
  server.SetHealth("", true);
  const RunResult result = Health(server);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "SERVING\n");
  EXPECT_EQ(Health(server, {"--json"}).out,
            "{\"service\":\"\",\"status\":\"SERVING\"}\n");
}

TEST(HealthCommandTest, AServerThatDrainsIsExitCodeOne) {
  FakeServer server;
  server.SetHealth("", false);
  const RunResult result = Health(server);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.out, "NOT_SERVING\n");
}

TEST(HealthCommandTest, ModelsAndServicesHaveAHealthOfTheirOwn) {
  FakeServer server;
  server.SetHealth("", false);
  server.SetHealth("model/tiny", true);
  server.SetHealth("saliency.v1.ModelService", true);
  EXPECT_EQ(Health(server, {"--model", "tiny"}).exit_code, 0);
  EXPECT_EQ(Health(server, {"--service", "saliency.v1.ModelService"}).exit_code,
            0);
  const RunResult unknown = Health(server, {"--model", "huge"});
  EXPECT_EQ(unknown.exit_code, 1);
  EXPECT_THAT(unknown.err, HasSubstr("model/huge"));
  EXPECT_EQ(Health(server, {"--model", "tiny", "--service", "x"}).exit_code, 2);
}

TEST(HealthCommandTest, NobodyThereIsExitCodeOne) {
  FakeServer server;
  const std::string address = server.address();
  server.Stop();
  const RunResult result =
      RunCommand({"health", "--server", address, "--timeout", "5s"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("cannot reach " + address));
}

}  // namespace
}  // namespace saliency::health_command_test
