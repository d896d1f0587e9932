// The metrics port and those who misuse it.

#include "server/telemetry/metrics_endpoint.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "prometheus/counter.h"
#include "prometheus/registry.h"
#include "tests/server/http2_peer.h"

namespace saliency::metrics_endpoint_test {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class MetricsEndpointTest : public testing::Test {
 protected:
  MetricsEndpointTest() {
    prometheus::BuildCounter()
        .Name("a_total")
        .Help("A.")
        .Register(*registry_)
        .Add({{"b", "c"}})
        .Increment(3);
    endpoint_ = MetricsEndpoint::Start("127.0.0.1:0", {registry_}).value();
  }

  // All that comes back.
  std::string Ask(const std::string& request) {
    Http2Peer peer(endpoint_->port());
    peer.Send(request);
    return peer.ReadAll();
  }
  std::string Scrape() { return Ask("GET /metrics HTTP/1.1\r\n\r\n"); }

  const std::shared_ptr<prometheus::Registry> registry_ =
      std::make_shared<prometheus::Registry>();
  std::unique_ptr<MetricsEndpoint> endpoint_;
};

TEST_F(MetricsEndpointTest, TellsWhatItsSourcesHold) {
  const std::string answer = Scrape();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Type: text/plain; version=0.0.4"));
  EXPECT_THAT(answer, HasSubstr("a_total{b=\"c\"} 3\n"));
  const size_t body = answer.find("\r\n\r\n") + 4;
  EXPECT_THAT(answer, HasSubstr(absl::StrCat(
                          "Content-Length: ", answer.size() - body, "\r\n")));
  EXPECT_THAT(Ask("GET /metrics?name=x HTTP/1.0\r\n\r\n"),
              HasSubstr("a_total"));
  EXPECT_THAT(Ask("HEAD /metrics HTTP/1.1\r\n\r\n"), EndsWith("\r\n\r\n"));
}

TEST_F(MetricsEndpointTest, AnswersNothingElse) {
  EXPECT_THAT(Ask("GET / HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(Ask("GET /metricsx HTTP/1.1\r\n\r\n"),
              StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(Ask("POST /metrics HTTP/1.1\r\n\r\n"),
              StartsWith("HTTP/1.1 405"));
  EXPECT_THAT(Ask("nonsense\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(Ask(std::string(kHttp2Preface)), StartsWith("HTTP/1.1 400"));
  EXPECT_EQ(Ask(std::string(9000, 'x')), "") << "too long for a request";
}

TEST_F(MetricsEndpointTest, HalfSentRequestsHoldNobodyUp) {
  std::vector<std::unique_ptr<Http2Peer>> half;
  for (int i = 0; i < 300; ++i) {
    half.push_back(std::make_unique<Http2Peer>(endpoint_->port()));
    half.back()->Send("GET /metrics HTTP/1.1\r\nHost: ");
    if (i % 50 != 49) continue;
    const absl::Time start = absl::Now();
    EXPECT_THAT(Scrape(), HasSubstr("a_total"));
    EXPECT_LT(absl::Now() - start, absl::Seconds(5));
  }
  // The oldest gave up their places.
  EXPECT_TRUE(half.front()->AwaitEnd());
}

TEST_F(MetricsEndpointTest, ARequestMayComeInPieces) {
  Http2Peer peer(endpoint_->port());
  peer.Send("GET /met");
  EXPECT_THAT(Scrape(), HasSubstr("a_total"));
  peer.Send("rics HTTP/1.1\r\n\r");
  EXPECT_THAT(Scrape(), HasSubstr("a_total"));
  peer.Send("\n");
  EXPECT_THAT(peer.ReadAll(), HasSubstr("a_total"));
}

TEST_F(MetricsEndpointTest, PeersThatComeAndGoOrNeverReadHoldNobodyUp) {
  std::vector<std::unique_ptr<Http2Peer>> peers;
  for (int i = 0; i < 30; ++i) {
    peers.push_back(std::make_unique<Http2Peer>(endpoint_->port()));
    if (i % 3 == 0) peers.back()->Send("GET /metrics HTTP/1.1\r\n\r\n");
    if (i % 3 == 1) peers.back()->EndSending();
    if (i % 3 == 2) peers.back() = nullptr;
  }
  EXPECT_THAT(Scrape(), HasSubstr("a_total"));
}

TEST_F(MetricsEndpointTest, AnAddressThatIsTakenIsNamed) {
  const std::string address = absl::StrCat("127.0.0.1:", endpoint_->port());
  const auto second = MetricsEndpoint::Start(address, {registry_});
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr(absl::StrCat("--metrics-address ", address)));
}

}  // namespace
}  // namespace saliency::metrics_endpoint_test
