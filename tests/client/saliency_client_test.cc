#include "client/saliency_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "grpcpp/security/server_credentials.h"
#include "tests/client/fake_server.h"
#include "tests/client/made_answers.h"
#include "tests/client/run_command.h"

namespace saliency::saliency_client_test {
namespace {

using ::testing::HasSubstr;

ClientOptions OptionsFor(const std::string& address) {
  ClientOptions options;
  options.channel.servers = {address};
  options.channel.retry.initial_backoff = absl::Milliseconds(5);
  options.timeout = absl::Seconds(30);
  return options;
}

std::unique_ptr<SaliencyClient> ClientOf(const FakeServer& server) {
  return SaliencyClient::Connect(OptionsFor(server.address())).value();
}

// Fails `failures` times with `code` and this push-back, then answers.
FakeServer::Compute FailFirst(int failures, grpc::StatusCode code,
                              std::string pushback_ms) {
  auto left = std::make_shared<std::atomic<int>>(failures);
  return [=](grpc::ServerContext& context, const v1::ComputeSaliencyRequest&,
             v1::ComputeSaliencyResponse& response) {
    if ((*left)-- <= 0) {
      response.mutable_summary()->mutable_model()->set_name("after retries");
      return grpc::Status::OK;
    }
    if (!pushback_ms.empty()) {
      context.AddTrailingMetadata("grpc-retry-pushback-ms", pushback_ms);
    }
    return grpc::Status(code, "not now");
  };
}

TEST(SaliencyClientTest, AnswersCarryTheServersMessage) {
  const FakeServer server([](auto&, const v1::ComputeSaliencyRequest& request,
                             v1::ComputeSaliencyResponse& response) {
    response.mutable_summary()->mutable_model()->set_name(
        absl::StrCat("for ", request.model().name()));
    return grpc::Status::OK;
  });
  v1::ComputeSaliencyRequest request;
  request.mutable_model()->set_name("me");
  EXPECT_EQ(
      ClientOf(server)->ComputeSaliency(request)->summary().model().name(),
      "for me");
}

TEST(SaliencyClientTest, ModelsAreListedAndDescribed) {
  const FakeServer server;
  const auto client = ClientOf(server);
  EXPECT_EQ(client->ListModels({})->models_size(), 2);
  EXPECT_EQ(client->GetModel({})->model().name(), "tiny");
}

TEST(SaliencyClientTest, EveryCodeAndItsMessageArrive) {
  for (int code = 1; code <= 16; ++code) {
    SCOPED_TRACE(code);
    const FakeServer server([code](auto&, const auto&, auto&) {
      return grpc::Status(static_cast<grpc::StatusCode>(code), "why");
    });
    ClientOptions options = OptionsFor(server.address());
    options.channel.retry.max_attempts = 1;
    const auto client = SaliencyClient::Connect(options).value();
    const absl::Status status = client->ComputeSaliency({}).status();
    EXPECT_EQ(static_cast<int>(status.code()), code);
    EXPECT_EQ(std::string(status.message()), "why");
  }
}

TEST(SaliencyClientTest, RetriesUnavailableUntilItWorks) {
  const FakeServer server(FailFirst(4, grpc::StatusCode::UNAVAILABLE, ""));
  EXPECT_EQ(ClientOf(server)->ComputeSaliency({})->summary().model().name(),
            "after retries");
  EXPECT_EQ(server.calls(), 5);
}

TEST(SaliencyClientTest, RetriesResourceExhaustedAfterThePushBack) {
  const FakeServer server(
      FailFirst(1, grpc::StatusCode::RESOURCE_EXHAUSTED, "200"));
  const auto client = ClientOf(server);
  const absl::Time start = absl::Now();
  EXPECT_EQ(client->ComputeSaliency({})->summary().model().name(),
            "after retries");
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(190))
      << "our own delay would have been at most 5 ms";
  EXPECT_EQ(server.calls(), 2);
}

TEST(SaliencyClientTest, NegativePushBackEndsTheRetries) {
  const FakeServer server(
      FailFirst(1, grpc::StatusCode::RESOURCE_EXHAUSTED, "-1"));
  EXPECT_EQ(ClientOf(server)->ComputeSaliency({}).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(server.calls(), 1);
}

TEST(SaliencyClientTest, OtherCodesAreNotRetried) {
  const FakeServer server(FailFirst(1, grpc::StatusCode::INTERNAL, ""));
  EXPECT_EQ(ClientOf(server)->ComputeSaliency({}).status().code(),
            absl::StatusCode::kInternal);
  EXPECT_EQ(server.calls(), 1);
}

// Pushes weight studies back with this delay, whoever asks.
FakeServer::WeightStages AlwaysBusy(int delay_ms) {
  return [=](grpc::ServerContext& context, const auto&, auto&) {
    return PushBack(context, delay_ms);
  };
}

TEST(SaliencyClientTest, AWeightStudyThatIsPushedBackForGoodIsNotAskedAgain) {
  FakeServer server;
  server.SetWeightStages(AlwaysBusy(-1));
  const absl::Status status = ClientOf(server)->MeasureWeightSensitivity(
      {}, [](const auto&) { return true; });
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(std::string(status.message()), "busy");
  EXPECT_EQ(server.weight_requests().size(), 1U);
}

TEST(SaliencyClientTest, AWeightStudyIsAskedOnceWhereRetriesAreOff) {
  FakeServer server;
  server.SetWeightStages(AlwaysBusy(1));
  ClientOptions options = OptionsFor(server.address());
  options.channel.retry.max_attempts = 1;
  const absl::Status status =
      SaliencyClient::Connect(options).value()->MeasureWeightSensitivity(
          {}, [](const auto&) { return true; });
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(server.weight_requests().size(), 1U);
}

TEST(SaliencyClientTest, AWeightStudyIsAskedAgainUntilItsTimeout) {
  FakeServer server;
  server.SetWeightStages(AlwaysBusy(1));
  const absl::Status status = ClientOf(server)->MeasureWeightSensitivity(
      {}, [](const auto&) { return true; }, {.timeout = absl::Seconds(1)});
  // The clock may run out in an attempt or in a wait.
  EXPECT_TRUE(absl::IsResourceExhausted(status) ||
              absl::IsDeadlineExceeded(status))
      << status;
  EXPECT_GT(server.weight_requests().size(), 5U) << "gRPC's own attempts";
}

// gRPC's own buffer of 256 KiB would let this one pass without a retry.
TEST(SaliencyClientTest, LargeRequestsAreRetriedToo) {
  const FakeServer server(FailFirst(2, grpc::StatusCode::UNAVAILABLE, ""));
  v1::ComputeSaliencyRequest request;
  request.mutable_input()->set_image(std::string(8 << 20, 'x'));
  EXPECT_EQ(
      ClientOf(server)->ComputeSaliency(request)->summary().model().name(),
      "after retries");
  EXPECT_EQ(server.calls(), 3);
}

TEST(SaliencyClientTest, AnswersMayBeLargerThanRequests) {
  const FakeServer server([](auto&, const auto&, auto& response) {
    response.add_maps()->set_data(std::string(40 << 20, 'x'));
    return grpc::Status::OK;
  });
  const auto answer = ClientOf(server)->ComputeSaliency({});
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->maps(0).data().size(), size_t{40} << 20);
}

TEST(SaliencyClientTest, RequestsAboveTheLimitAreNotSent) {
  const FakeServer server;
  v1::ComputeSaliencyRequest request;
  request.mutable_input()->set_image(std::string(33 << 20, 'x'));
  const absl::Status status =
      ClientOf(server)->ComputeSaliency(request).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("limit of 33554432"));
  EXPECT_EQ(server.calls(), 0);
}

TEST(SaliencyClientTest, TokenIsSentAsBearer) {
  const FakeServer server([](grpc::ServerContext& context, const auto&,
                             v1::ComputeSaliencyResponse& response) {
    const auto found = context.client_metadata().find("authorization");
    if (found != context.client_metadata().end()) {
      response.mutable_summary()->mutable_model()->set_name(
          std::string(found->second.data(), found->second.size()));
    }
    return grpc::Status::OK;
  });
  ClientOptions options = OptionsFor(server.address());
  options.token = "s3cret";
  EXPECT_EQ(SaliencyClient::Connect(options)
                .value()
                ->ComputeSaliency({})
                ->summary()
                .model()
                .name(),
            "Bearer s3cret");
  EXPECT_EQ(ClientOf(server)->ComputeSaliency({})->summary().model().name(),
            "");
}

TEST(SaliencyClientTest, TokenThatHeadersCannotCarryIsRefused) {
  ClientOptions options;
  options.token = "two\nlines";
  EXPECT_EQ(SaliencyClient::Connect(options).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(SaliencyClientTest, OptionsOutOfRangeAreRefused) {
  ClientOptions options;
  options.timeout = absl::ZeroDuration();
  EXPECT_FALSE(SaliencyClient::Connect(options).ok());
  options = {};
  options.channel.retry.max_attempts = 6;
  EXPECT_THAT(std::string(SaliencyClient::Connect(options).status().message()),
              HasSubstr("max_attempts 6 not in [1, 5]"));
}

// Waits until the caller is gone.
grpc::Status HangUntilCancelled(grpc::ServerContext& context) {
  while (!context.IsCancelled()) std::this_thread::yield();
  return grpc::Status::CANCELLED;
}

TEST(SaliencyClientTest, DeadlineEndsTheCall) {
  const FakeServer server([](grpc::ServerContext& context, const auto&, auto&) {
    return HangUntilCancelled(context);
  });
  const absl::Status status =
      ClientOf(server)
          ->ComputeSaliency({}, {.timeout = absl::Milliseconds(100)})
          .status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(std::string(status.message()),
            absl::StrCat("no answer from ", server.address(), " within 100ms"));
}

TEST(SaliencyClientTest, CancellingTheTokenEndsTheCall) {
  absl::Notification running;
  const FakeServer server(
      [&](grpc::ServerContext& context, const auto&, auto&) {
        running.Notify();
        return HangUntilCancelled(context);
      });
  const auto client = ClientOf(server);
  const auto cancel = std::make_shared<CancelToken>();
  std::thread canceller([&] {
    running.WaitForNotification();
    cancel->Cancel();
  });
  const absl::Status status =
      client->ComputeSaliency({}, {.cancel = cancel}).status();
  canceller.join();
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
}

TEST(SaliencyClientTest, TokenCancelledBeforehandMeansNoCall) {
  const FakeServer server;
  const auto cancel = std::make_shared<CancelToken>();
  cancel->Cancel();
  EXPECT_EQ(
      ClientOf(server)->ComputeSaliency({}, {.cancel = cancel}).status().code(),
      absl::StatusCode::kCancelled);
  EXPECT_EQ(server.calls(), 0);
}

TEST(SaliencyClientTest, UnreachableServerIsNamedWithoutLibraryText) {
  std::string address;
  {
    const FakeServer gone;
    address = gone.address();
  }
  const auto client = SaliencyClient::Connect(OptionsFor(address)).value();
  const absl::Status status = client->ComputeSaliency({}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(std::string(status.message()), "cannot reach " + address);
}

TEST(SaliencyClientTest, ServersTakeTurnsAndTheDeadAreSkipped) {
  FakeServer one;
  FakeServer two;
  const auto answer = [](const SaliencyClient& client) {
    v1::ComputeSaliencyRequest request;  // refused by the fake, but counted
    return client.ComputeSaliency(request).status().code();
  };
  ClientOptions options = OptionsFor(one.address());
  options.channel.servers.push_back(two.address());
  const auto client = SaliencyClient::Connect(options).value();
  // Until both connections stand the first one gets all calls.
  for (int i = 0; i < 1000 && (one.calls() == 0 || two.calls() == 0); ++i) {
    EXPECT_EQ(answer(*client), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_GT(one.calls(), 0);
  EXPECT_GT(two.calls(), 0);
  one.Stop();
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(answer(*client), absl::StatusCode::kInvalidArgument);
  }
}

TEST(SaliencyClientTest, ManyThreadsShareAClient) {
  const FakeServer server([](auto&, const v1::ComputeSaliencyRequest& request,
                             v1::ComputeSaliencyResponse& response) {
    response.mutable_summary()->mutable_model()->set_name(
        request.model().name());
    return grpc::Status::OK;
  });
  const auto client = ClientOf(server);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 8; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 20; ++i) {
        v1::ComputeSaliencyRequest request;
        request.mutable_model()->set_name(absl::StrCat(thread, "/", i));
        EXPECT_EQ(client->ComputeSaliency(request)->summary().model().name(),
                  request.model().name());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(server.calls(), 160);
}

// A self-signed certificate for 127.0.0.1; empty without openssl.
struct Certificate {
  std::string cert;
  std::string key;
};
std::optional<Certificate> MakeCertificate(const TestFolder& folder) {
  const Certificate files = {folder.path("cert.pem"), folder.path("key.pem")};
  const std::string command = absl::StrCat(
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 "
      "-nodes -days 2 -subj /CN=test -addext subjectAltName=IP:127.0.0.1 "
      "-keyout ",
      files.key, " -out ", files.cert, " 2>/dev/null");
  if (std::system(command.c_str()) != 0) return std::nullopt;
  return files;
}

TEST(SaliencyClientTest, MutualTlsNeedsAllThreeFiles) {
  const TestFolder folder;
  const std::optional<Certificate> files = MakeCertificate(folder);
  if (!files.has_value()) GTEST_SKIP() << "no openssl on this machine";
  grpc::SslServerCredentialsOptions ssl(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  ssl.pem_root_certs = ReadAll(files->cert);
  ssl.pem_key_cert_pairs.push_back({ReadAll(files->key), ReadAll(files->cert)});
  const FakeServer server(
      [](auto&, const auto&, auto&) { return grpc::Status::OK; },
      grpc::SslServerCredentials(ssl));

  ClientOptions options = OptionsFor(server.address());
  options.channel.tls = {files->cert, files->cert, files->key};
  const absl::Status with_all =
      SaliencyClient::Connect(options).value()->ComputeSaliency({}).status();
  EXPECT_TRUE(with_all.ok()) << with_all;
  // A list of servers, checked against the first one's name.
  options.channel.servers.push_back(server.address());
  EXPECT_TRUE(
      SaliencyClient::Connect(options).value()->ComputeSaliency({}).ok());
  options = OptionsFor(server.address());
  options.channel.tls = {.ca = files->cert};
  EXPECT_FALSE(
      SaliencyClient::Connect(options).value()->ComputeSaliency({}).ok());
  options.channel.tls = {files->cert, files->cert, files->key};
  options.channel.tls_server_name = "another.name";
  EXPECT_FALSE(
      SaliencyClient::Connect(options).value()->ComputeSaliency({}).ok());
  EXPECT_FALSE(ClientOf(server)->ComputeSaliency({}).ok()) << "plain text";
}

}  // namespace
}  // namespace saliency::saliency_client_test
