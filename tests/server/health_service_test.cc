#include "server/services/health_service.h"

#include <memory>
#include <string>
#include <thread>

#include "gtest/gtest.h"
#include "tests/server/test_server.h"

namespace saliency::health_service_test {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

HealthCheckRequest For(const std::string& service) {
  HealthCheckRequest request;
  request.set_service(service);
  return request;
}

HealthCheckResponse::ServingStatus Check(TestServer& server,
                                         const std::string& service) {
  grpc::ClientContext context;
  HealthCheckResponse response;
  const grpc::Status status =
      server.health().Check(&context, For(service), &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response.status();
}

TEST(HealthServiceTest, NothingServesBeforeTheModelsAreReady) {
  TestServer server;
  EXPECT_EQ(Check(server, ""), HealthCheckResponse::NOT_SERVING);
  server.AddFakeModel();
  EXPECT_EQ(Check(server, ""), HealthCheckResponse::SERVING);
  EXPECT_EQ(Check(server, "model/fake"), HealthCheckResponse::SERVING);
  EXPECT_EQ(Check(server, "saliency.v1.SaliencyService"),
            HealthCheckResponse::SERVING);
}

TEST(HealthServiceTest, AnUnknownNameIsNotFound) {
  TestServer server;
  grpc::ClientContext context;
  HealthCheckResponse response;
  EXPECT_EQ(server.health()
                .Check(&context, For("model/none"), &response)
                .error_code(),
            grpc::StatusCode::NOT_FOUND);
}

TEST(HealthServiceTest, AWatchHearsEveryStateOnItsWay) {
  TestServer server;
  grpc::ClientContext context;
  const auto watch = server.health().Watch(&context, For("model/fake"));
  HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVICE_UNKNOWN);
  server.AddFakeModel();
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  server.registry().StopServing();
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  server.registry().Close();
  EXPECT_FALSE(watch->Read(&response));
  EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST(HealthServiceTest, AChangeThatChangesNothingIsNotWritten) {
  TestServer server;
  server.AddFakeModel();
  grpc::ClientContext context;
  const auto watch = server.health().Watch(&context, For(""));
  HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  server.table().MarkListed();
  server.table().MarkListed();
  server.registry().StopServing();
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  context.TryCancel();
  EXPECT_FALSE(watch->Read(&response));
  EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST(HealthServiceTest, ManyWatchesThatComeAndGoLeaveTheServerWell) {
  TestServer server;
  server.AddFakeModel();
  for (int i = 0; i < 50; ++i) {
    grpc::ClientContext context;
    const auto watch = server.health().Watch(&context, For(""));
    HealthCheckResponse response;
    ASSERT_TRUE(watch->Read(&response));
    context.TryCancel();
    server.table().MarkListed();
    watch->Finish();
  }
  EXPECT_EQ(Check(server, ""), HealthCheckResponse::SERVING);
}

// A change sweeps up what is left of watches that went: here none comes.
TEST(HealthServiceTest, NothingIsKeptOfAWatchThatWent) {
  TestServer server;
  server.AddFakeModel();
  for (int i = 0; i < 20; ++i) {
    grpc::ClientContext context;
    const auto watch = server.health().Watch(&context, For(""));
    HealthCheckResponse response;
    ASSERT_TRUE(watch->Read(&response));
    EXPECT_LE(server.registry().watchers(), 2);
    context.TryCancel();
    watch->Finish();
    while (server.registry().watchers() > 0) std::this_thread::yield();
  }
}

// Its name would be held for as long as it lasts.
TEST(HealthServiceTest, AWatchOfALongNameIsRefused) {
  TestServer server;
  grpc::ClientContext context;
  const auto watch =
      server.health().Watch(&context, For(std::string(1025, 'a')));
  HealthCheckResponse response;
  EXPECT_FALSE(watch->Read(&response));
  const grpc::Status status = watch->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "service: 1025 bytes; at most 1024");
}

TEST(HealthServiceTest, AServerThatEndsEndsItsWatches) {
  auto server = std::make_unique<TestServer>();
  grpc::ClientContext context;
  const auto watch = server->health().Watch(&context, For(""));
  HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  server.reset();
  EXPECT_FALSE(watch->Read(&response));
  EXPECT_FALSE(watch->Finish().ok());
}

}  // namespace
}  // namespace saliency::health_service_test
