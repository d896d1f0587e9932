// Who gets in with which token, through the whole server.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "google/protobuf/descriptor.h"
#include "grpcpp/generic/generic_stub.h"
#include "gtest/gtest.h"
#include "tests/server/temporary_folder.h"
#include "tests/server/test_server.h"

namespace saliency::authentication_test {
namespace {

using grpc::StatusCode;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;

using Rpc = std::function<grpc::Status(TestServer&, grpc::ClientContext&)>;

template <typename Version>
grpc::Status Reflect(TestServer& server, grpc::ClientContext& context) {
  const auto stub = Version::Service::NewStub(server.channel());
  const auto stream = stub->ServerReflectionInfo(&context);
  stream->WritesDone();
  return stream->Finish();
}

// Every rpc of every service that asks for the token.
const std::map<std::string, Rpc>& Rpcs() {
  static const auto* const rpcs = new std::map<std::string, Rpc>{
      {"ComputeSaliency",
       [](TestServer& server, grpc::ClientContext& context) {
         v1::ComputeSaliencyResponse response;
         return server.saliency().ComputeSaliency(&context, FakeRequest(),
                                                  &response);
       }},
      {"StreamSaliency",
       [](TestServer& server, grpc::ClientContext& context) {
         const auto stream = server.saliency().StreamSaliency(&context);
         stream->WritesDone();
         return stream->Finish();
       }},
      {"ListModels",
       [](TestServer& server, grpc::ClientContext& context) {
         v1::ListModelsResponse response;
         return server.models().ListModels(&context, {}, &response);
       }},
      {"GetModel",
       [](TestServer& server, grpc::ClientContext& context) {
         v1::GetModelResponse response;
         return server.models().GetModel(&context, {}, &response);
       }},
      {"Check",
       [](TestServer& server, grpc::ClientContext& context) {
         grpc::health::v1::HealthCheckResponse response;
         return server.health().Check(&context, {}, &response);
       }},
      {"Watch",
       [](TestServer& server, grpc::ClientContext& context) {
         const auto watch = server.health().Watch(&context, {});
         grpc::health::v1::HealthCheckResponse response;
         if (!watch->Read(&response)) return watch->Finish();
         context.TryCancel();
         watch->Finish();
         return grpc::Status::OK;
       }},
      {"v1.ServerReflectionInfo", &Reflect<ReflectionV1>},
      {"v1alpha.ServerReflectionInfo", &Reflect<ReflectionV1Alpha>},
  };
  return *rpcs;
}

grpc::Status Call(TestServer& server, const Rpc& rpc,
                  const std::string& token) {
  grpc::ClientContext context;
  if (!token.empty()) context.AddMetadata("authorization", "Bearer " + token);
  return rpc(server, context);
}

class AuthenticationTest : public testing::Test {
 protected:
  AuthenticationTest() { folder_.Write("tokens", "abracadabra\nsesame\n"); }

  std::unique_ptr<TestServer> Start(bool health_without_token = false) {
    TestServer::Options options;
    options.token_file = folder_ / "tokens";
    options.health_without_token = health_without_token;
    auto server = std::make_unique<TestServer>(options);
    server->AddFakeModel();
    return server;
  }

  TemporaryFolder folder_;
};

TEST_F(AuthenticationTest, EveryRpcWantsAToken) {
  const auto server = Start();
  for (const auto& [name, rpc] : Rpcs()) {
    SCOPED_TRACE(name);
    EXPECT_EQ(Call(*server, rpc, "").error_code(), StatusCode::UNAUTHENTICATED);
    EXPECT_EQ(Call(*server, rpc, "guess").error_code(),
              StatusCode::UNAUTHENTICATED);
    EXPECT_EQ(Call(*server, rpc, "abracadabra").error_code(), StatusCode::OK);
    EXPECT_EQ(Call(*server, rpc, "sesame").error_code(), StatusCode::OK);
  }
}

// Of the services whose protos these are, "/package.Service/Method".
std::vector<std::string> AllMethods() {
  std::vector<std::string> paths;
  for (const char* name :
       {"saliency.v1.SaliencyService", "saliency.v1.ModelService",
        "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection"}) {
    const google::protobuf::ServiceDescriptor* service =
        google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(
            name);
    for (int i = 0; i < service->method_count(); ++i) {
      paths.push_back("/" + service->full_name() + "/" +
                      service->method(i)->name());
    }
  }
  return paths;
}

// Calls a method by its path with an empty message, and cancels what does not
// end by itself.
grpc::Status CallByPath(TestServer& server, const std::string& path,
                        const std::string& token) {
  grpc::GenericStub stub(server.channel());
  grpc::ClientContext context;
  if (!token.empty()) context.AddMetadata("authorization", "Bearer " + token);
  grpc::CompletionQueue queue;
  const auto call = stub.PrepareCall(&context, path, &queue);
  const auto done = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    return ok;
  };
  call->StartCall(nullptr);
  done();
  const grpc::Slice empty_message("");
  call->WriteLast(grpc::ByteBuffer(&empty_message, 1), {}, nullptr);
  if (done()) {
    grpc::ByteBuffer answer;
    call->Read(&answer, nullptr);
    if (done()) context.TryCancel();
  }
  grpc::Status status;
  call->Finish(&status, nullptr);
  done();
  queue.Shutdown();
  while (done()) {
  }
  return status;
}

TEST_F(AuthenticationTest, NoMethodOfAnyServiceIsLeftOut) {
  const auto server = Start();
  for (const std::string& path : AllMethods()) {
    SCOPED_TRACE(path);
    EXPECT_EQ(CallByPath(*server, path, "").error_code(),
              StatusCode::UNAUTHENTICATED);
    EXPECT_NE(CallByPath(*server, path, "sesame").error_code(),
              StatusCode::UNAUTHENTICATED);
  }
}

TEST_F(AuthenticationTest, HealthAloneMayBeOpened) {
  const auto server = Start(/*health_without_token=*/true);
  for (const auto& [name, rpc] : Rpcs()) {
    SCOPED_TRACE(name);
    const bool health = name == "Check" || name == "Watch";
    EXPECT_EQ(Call(*server, rpc, "").error_code(),
              health ? StatusCode::OK : StatusCode::UNAUTHENTICATED);
  }
}

TEST_F(AuthenticationTest, WithoutATokenFileNobodyIsAsked) {
  TestServer server;
  server.AddFakeModel();
  for (const auto& [name, rpc] : Rpcs()) {
    EXPECT_EQ(Call(server, rpc, "").error_code(), StatusCode::OK) << name;
  }
}

TEST_F(AuthenticationTest, ARefusedCallDoesNoWorkAndIsCounted) {
  const auto server = Start();
  Call(*server, Rpcs().at("ComputeSaliency"), "guess");
  EXPECT_TRUE(server->explainer_log().Batches().empty());
  EXPECT_EQ(
      server->Metric("saliency_requests_total", {{"code", "UNAUTHENTICATED"}}),
      1);
  EXPECT_EQ(
      server->Metric("saliency_refused_total", {{"reason", "unauthenticated"}}),
      1);
}

TEST_F(AuthenticationTest, AStrangerDoesNotHearThatTheServerDrains) {
  const auto server = Start();
  server->tracker().Close();
  const Rpc& rpc = Rpcs().at("ListModels");
  EXPECT_EQ(Call(*server, rpc, "guess").error_code(),
            StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(Call(*server, rpc, "sesame").error_code(), StatusCode::UNAVAILABLE);
}

TEST_F(AuthenticationTest, NeitherAnswersNorLogRepeatWhatWasShown) {
  const auto server = Start();
  for (const auto& [name, rpc] : Rpcs()) {
    EXPECT_THAT(Call(*server, rpc, "guess").error_message(),
                Not(HasSubstr("guess")))
        << name;
    Call(*server, rpc, "abracadabra");
  }
  EXPECT_FALSE(server->log_lines().empty());
  EXPECT_THAT(server->log_lines(), Each(Not(HasSubstr("guess"))));
  EXPECT_THAT(server->log_lines(), Each(Not(HasSubstr("abracadabra"))));
}

}  // namespace
}  // namespace saliency::authentication_test
