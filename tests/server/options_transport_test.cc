#include "server/options_transport.h"

#include <string>
#include <variant>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/temporary_folder.h"

namespace saliency::options_transport_test {
namespace {

using ::testing::HasSubstr;

class TransportOptionsTest : public testing::Test {
 protected:
  std::variant<ServerOptions, CommandLineExit> Parse(
      std::vector<std::string> arguments) {
    arguments.push_back("--models=" + folder_.path());
    return ParseCommandLine(arguments);
  }
  ServerOptions Accepted(const std::vector<std::string>& arguments) {
    auto parsed = Parse(arguments);
    if (const auto* exit = std::get_if<CommandLineExit>(&parsed)) {
      ADD_FAILURE() << exit->output;
      return {};
    }
    return std::get<ServerOptions>(parsed);
  }
  // Wrong usage: returns what is printed.
  std::string Refused(const std::vector<std::string>& arguments) {
    const auto parsed = Parse(arguments);
    const auto* exit = std::get_if<CommandLineExit>(&parsed);
    if (exit == nullptr) return "accepted";
    EXPECT_EQ(exit->code, 2);
    return exit->output;
  }

  TemporaryFolder folder_;
};

TEST_F(TransportOptionsTest, DefaultsArePlainTextWithBoundsOnEveryWait) {
  const ServerOptions options = Accepted({});
  EXPECT_FALSE(options.tls.enabled());
  EXPECT_EQ(options.token_file, "");
  EXPECT_FALSE(options.health_without_token);
  EXPECT_EQ(options.connections.keepalive_time, absl::Minutes(1));
  EXPECT_EQ(options.connections.keepalive_timeout, absl::Seconds(20));
  EXPECT_EQ(options.connections.handshake_timeout, absl::Seconds(20));
  EXPECT_EQ(options.connections.max_idle, absl::Minutes(15));
  EXPECT_EQ(options.connections.max_age, absl::Hours(1));
  EXPECT_EQ(options.connections.max_age_grace, absl::Hours(1));
  EXPECT_EQ(options.connections.max_streams, 100);
  EXPECT_EQ(options.connections.caps.total, 1000);
  EXPECT_EQ(options.connections.caps.per_peer, 500);
  EXPECT_EQ(options.connections.transport_bytes, int64_t{256} << 20);
  EXPECT_EQ(options.receive_timeout, absl::Minutes(1));
  EXPECT_EQ(options.max_calls, 4096);
  EXPECT_EQ(options.send_timeout, absl::Minutes(5));
}

TEST_F(TransportOptionsTest, EveryFlagArrives) {
  const ServerOptions options = Accepted(
      {"--tls-cert=c", "--tls-key=k", "--tls-client-ca=a", "--token-file=t",
       "--health-without-token", "--keepalive-time=1s",
       "--keepalive-timeout=2s", "--handshake-timeout=3s",
       "--max-connection-idle=0", "--max-connection-age=5s",
       "--max-connection-age-grace=6s", "--max-concurrent-streams=7",
       "--send-timeout=8s", "--stream-window=9"});
  EXPECT_EQ(options.tls.cert, "c");
  EXPECT_EQ(options.tls.key, "k");
  EXPECT_EQ(options.tls.client_ca, "a");
  EXPECT_EQ(options.token_file, "t");
  EXPECT_TRUE(options.health_without_token);
  EXPECT_EQ(options.connections.keepalive_time, absl::Seconds(1));
  EXPECT_EQ(options.connections.keepalive_timeout, absl::Seconds(2));
  EXPECT_EQ(options.connections.handshake_timeout, absl::Seconds(3));
  EXPECT_EQ(options.connections.max_idle, absl::ZeroDuration());
  EXPECT_EQ(options.connections.max_age, absl::Seconds(5));
  EXPECT_EQ(options.connections.max_age_grace, absl::Seconds(6));
  EXPECT_EQ(options.connections.max_streams, 7);
  EXPECT_EQ(options.send_timeout, absl::Seconds(8));
  EXPECT_EQ(options.stream.window, 9);
}

TEST_F(TransportOptionsTest, TlsMakesAnyAddressFine) {
  EXPECT_EQ(
      Accepted({"--listen-address=0.0.0.0:1", "--tls-cert=c", "--tls-key=k"})
          .listen_address,
      "0.0.0.0:1");
  // A token alone does not: whoever listens in has it.
  EXPECT_THAT(Refused({"--listen-address=0.0.0.0:1", "--token-file=t"}),
              HasSubstr("--tls-cert"));
}

TEST_F(TransportOptionsTest, HalfOfAPairIsRefused) {
  EXPECT_THAT(Refused({"--tls-cert=c"}), HasSubstr("--tls-key"));
  EXPECT_THAT(Refused({"--tls-key=k"}), HasSubstr("--tls-cert"));
  EXPECT_THAT(Refused({"--tls-client-ca=a"}), HasSubstr("--tls-cert"));
}

TEST_F(TransportOptionsTest, WrongValuesNameTheirFlag) {
  for (const char* argument :
       {"--keepalive-time=0", "--keepalive-timeout=10ms",
        "--handshake-timeout=0s", "--max-connection-idle=-1s",
        "--max-connection-age=25h", "--max-connection-age-grace=x",
        "--max-concurrent-streams=0", "--send-timeout=5",
        "--stream-window=0"}) {
    const std::string flag =
        std::string(argument).substr(0, std::string(argument).find('='));
    EXPECT_THAT(Refused({argument}), HasSubstr(flag)) << argument;
  }
}

}  // namespace
}  // namespace saliency::options_transport_test
