#include "client/error_details.h"

#include "client/saliency_client.h"
#include "gtest/gtest.h"
#include "tests/client/fake_server.h"
#include "tests/client/made_answers.h"

namespace saliency::error_details_test {
namespace {

std::unique_ptr<SaliencyClient> ClientOf(const FakeServer& server) {
  ClientOptions options;
  options.channel.servers = {server.address()};
  options.channel.retry.max_attempts = 1;
  return SaliencyClient::Connect(options).value();
}

TEST(ErrorDetailsTest, TheClientsStatusHasTheServersViolations) {
  const FakeServer server([](auto&, const auto&, auto&) {
    return InvalidField("targets[1].label", "empty");
  });
  const absl::Status status = ClientOf(server)->ComputeSaliency({}).status();
  const std::vector<FieldViolation> violations = FieldViolationsOf(status);
  ASSERT_EQ(violations.size(), 1U);
  EXPECT_EQ(violations[0].field, "targets[1].label");
  EXPECT_EQ(violations[0].description, "empty");
  EXPECT_EQ(RetryDelayOf(status), std::nullopt);
}

TEST(ErrorDetailsTest, TheClientsStatusHasTheServersDelay) {
  for (const int delay_ms : {0, 1, 3200}) {
    const FakeServer server([&](grpc::ServerContext& context, const auto&,
                                auto&) { return PushBack(context, delay_ms); });
    EXPECT_EQ(RetryDelayOf(ClientOf(server)->ComputeSaliency({}).status()),
              absl::Milliseconds(delay_ms));
  }
}

TEST(ErrorDetailsTest, ADelayIsOfResourceExhaustedAlone) {
  google::rpc::Status all;
  all.add_details()->PackFrom(RetryInfoOf(5));
  const auto delay = [&](grpc::StatusCode code) {
    return RetryDelayOf(StatusFrom({code, "busy", all.SerializeAsString()}));
  };
  EXPECT_EQ(delay(grpc::StatusCode::RESOURCE_EXHAUSTED), absl::Milliseconds(5));
  EXPECT_EQ(delay(grpc::StatusCode::ABORTED), std::nullopt);
}

TEST(ErrorDetailsTest, AnItemOfAStreamHasTheSame) {
  v1::ResultStatus item;
  item.set_code(grpc::StatusCode::RESOURCE_EXHAUSTED);
  item.set_message("busy");
  google::rpc::ErrorInfo info;
  info.set_reason("QUEUE_FULL");
  item.add_details()->PackFrom(info);
  item.add_details()->PackFrom(RetryInfoOf(7));
  const absl::Status status = StatusFrom(item);
  EXPECT_EQ(status.message(), "busy");
  EXPECT_EQ(ErrorReasonOf(status), "QUEUE_FULL");
  EXPECT_EQ(RetryDelayOf(status), absl::Milliseconds(7));
}

TEST(ErrorDetailsTest, InvalidDetailsAreNone) {
  const absl::Status status = StatusFrom(
      {grpc::StatusCode::RESOURCE_EXHAUSTED, "busy", "\xff\xff no details"});
  EXPECT_EQ(status, absl::ResourceExhaustedError("busy"));
  absl::Status inner = absl::ResourceExhaustedError("busy");
  inner.SetPayload("type.googleapis.com/google.rpc.RetryInfo",
                   absl::Cord("\xff"));
  EXPECT_EQ(RetryDelayOf(inner), std::nullopt);
  EXPECT_EQ(ErrorReasonOf(inner), "");
  EXPECT_TRUE(FieldViolationsOf(inner).empty());
}

}  // namespace
}  // namespace saliency::error_details_test
