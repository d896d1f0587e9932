#include "client/channel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "client/server_address.h"

namespace saliency::channel_test {
namespace {

using ::testing::HasSubstr;

TEST(ChannelTargetTest, NumbersAreUsedAsTheyAre) {
  EXPECT_EQ(*ChannelTarget({"127.0.0.1:50051"}), "ipv4:127.0.0.1:50051");
  EXPECT_EQ(*ChannelTarget({"10.0.0.1:1", "10.0.0.2:65535"}),
            "ipv4:10.0.0.1:1,10.0.0.2:65535");
  EXPECT_EQ(*ChannelTarget({"[::1]:80"}), "ipv6:[::1]:80");
}

TEST(ChannelTargetTest, OneNameStaysAName) {
  EXPECT_EQ(*ChannelTarget({"saliency.models.svc:50051"}),
            "dns:///saliency.models.svc:50051");
}

TEST(ChannelTargetTest, RefusesWhatIsNoAddress) {
  for (const char* text :
       {"", "host", "host:", ":80", "host:0", "host:65536", "host:x", "::1:80",
        "[127.0.0.1]:80", "a b:80", "http://host:80", "h/x:1"}) {
    EXPECT_EQ(ChannelTarget({text}).status().code(),
              absl::StatusCode::kInvalidArgument)
        << text;
  }
  EXPECT_FALSE(ChannelTarget({}).ok());
  EXPECT_THAT(
      std::string(ChannelTarget({"10.0.0.1:1", "[::1]:2"}).status().message()),
      HasSubstr("mix IPv4 and IPv6"));
}

TEST(HasSeveralAddressesTest, ServersAreCountedAndTheAddressesOfOneName) {
  EXPECT_TRUE(HasSeveralAddresses({"10.0.0.1:1", "10.0.0.2:1"}));
  EXPECT_TRUE(HasSeveralAddresses({"10.0.0.1:1", "no address"}));
  for (const char* one : {"10.0.0.1:1", "[::1]:1", "localhost:1", "none"}) {
    EXPECT_FALSE(HasSeveralAddresses({one})) << one;
  }
  EXPECT_FALSE(HasSeveralAddresses({}));
}

TEST(ServiceConfigTest, RetriesTheTwoCodesFiveTimesOverRoundRobin) {
  const auto config = nlohmann::json::parse(ServiceConfigJson({}));
  EXPECT_TRUE(config["loadBalancingConfig"][0].contains("round_robin"));
  const auto& method = config["methodConfig"][0];
  EXPECT_EQ(method["name"].dump(), "[{}]") << "every method";
  const auto& retry = method["retryPolicy"];
  EXPECT_EQ(retry["maxAttempts"], 5);
  EXPECT_EQ(retry["initialBackoff"], "0.100s");
  EXPECT_EQ(retry["maxBackoff"], "5.000s");
  EXPECT_EQ(retry["retryableStatusCodes"].dump(),
            R"(["UNAVAILABLE","RESOURCE_EXHAUSTED"])");
}

TEST(ServiceConfigTest, AStreamIsNotTriedAgainAsAWhole) {
  const auto config = nlohmann::json::parse(ServiceConfigJson({}));
  const auto& stream = config["methodConfig"][1];
  EXPECT_EQ(stream["name"][0]["method"], "StreamSaliency");
  EXPECT_FALSE(stream.contains("retryPolicy"));
}

TEST(ServiceConfigTest, OneAttemptMeansNoPolicy) {
  const auto config =
      nlohmann::json::parse(ServiceConfigJson({.retry = {.max_attempts = 1}}));
  EXPECT_FALSE(config["methodConfig"][0].contains("retryPolicy"));
}

TEST(ServiceConfigTest, HealthIsWatchedWhenAskedFor) {
  EXPECT_FALSE(nlohmann::json::parse(ServiceConfigJson({}))
                   .contains("healthCheckConfig"));
  const auto config =
      nlohmann::json::parse(ServiceConfigJson({.ready_servers_only = true}));
  EXPECT_EQ(config["healthCheckConfig"]["serviceName"], "");
}

TEST(CreateChannelTest, ATokenNeedsTls) {
  ChannelOptions options;
  options.token = "secret";
  EXPECT_EQ(CreateChannel(options).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(CreateChannelTest, RefusesCertificateWithoutKeyAndFilesThatAreNoPem) {
  ChannelOptions options;
  options.tls.cert = "/nonexistent";
  EXPECT_THAT(std::string(CreateChannel(options).status().message()),
              HasSubstr("go together"));
  options.tls = {.ca = "/nonexistent"};
  EXPECT_THAT(std::string(CreateChannel(options).status().message()),
              HasSubstr("/nonexistent"));
  options.tls = {.ca = "/etc/hostname"};
  EXPECT_EQ(CreateChannel(options).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace saliency::channel_test
