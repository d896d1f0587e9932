#include "server/transport/request_id.h"

#include <map>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace saliency::request_id_test {
namespace {

using ::testing::MatchesRegex;

constexpr char kGenerated[] = "[0-9a-f]+";

// The strings outlive the call.
std::string IdFrom(const std::map<std::string, std::string>& metadata) {
  std::multimap<grpc::string_ref, grpc::string_ref> refs;
  for (const auto& [key, value] : metadata) refs.emplace(key, value);
  return RequestIdFrom(refs);
}

TEST(RequestIdTest, TheCallersIdIsKept) {
  EXPECT_EQ(IdFrom({{"x-request-id", "abc-123_~!"}}), "abc-123_~!");
  EXPECT_EQ(IdFrom({{"x-request-id", std::string(128, 'x')}}),
            std::string(128, 'x'));
}

TEST(RequestIdTest, AnIdThatCouldForgeALogLineIsReplaced) {
  for (const std::string& bad :
       {std::string(), std::string(129, 'x'), std::string("a b"),
        std::string("a\nb"), std::string("\xc3\xa9"), std::string("\x7f")}) {
    const std::string id = IdFrom({{"x-request-id", bad}});
    EXPECT_EQ(id.size(), 32);
    EXPECT_THAT(id, MatchesRegex(kGenerated));
  }
}

TEST(RequestIdTest, TheTraceIdOfATraceparentIsTaken) {
  const std::string trace = "4bf92f3577b34da6a3ce929d0e0e4736";
  const std::string parent = "00-" + trace + "-00f067aa0ba902b7-01";
  EXPECT_EQ(IdFrom({{"traceparent", parent}}), trace);
  EXPECT_EQ(IdFrom({{"traceparent", parent}, {"x-request-id", "mine"}}),
            "mine");
  EXPECT_EQ(IdFrom({{"traceparent", parent}, {"x-request-id", "no good"}}),
            trace);
}

TEST(RequestIdTest, AnotherTraceparentIsIgnored) {
  for (const std::string& bad :
       {std::string(), std::string("00-short-00f067aa0ba902b7-01"),
        "00-" + std::string(32, '0') + "-00f067aa0ba902b7-01",
        "00-" + std::string(32, 'G') + "-00f067aa0ba902b7-01",
        "00-" + std::string(32, 'a')}) {
    EXPECT_THAT(IdFrom({{"traceparent", bad}}), MatchesRegex(kGenerated));
  }
}

TEST(RequestIdTest, GeneratedIdsDiffer) {
  EXPECT_NE(NewRequestId(), NewRequestId());
}

}  // namespace
}  // namespace saliency::request_id_test
