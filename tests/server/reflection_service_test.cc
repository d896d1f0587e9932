#include "server/reflection_service.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "google/protobuf/descriptor.pb.h"
#include "gtest/gtest.h"
#include "tests/server/test_server.h"

namespace saliency::reflection_service_test {
namespace {

using grpc::reflection::v1alpha::ServerReflection;
using grpc::reflection::v1alpha::ServerReflectionRequest;
using grpc::reflection::v1alpha::ServerReflectionResponse;
using ::testing::Contains;
using ::testing::UnorderedElementsAre;

constexpr char kModelService[] = "saliency.v1.ModelService";

std::vector<std::string> FilesIn(const ServerReflectionResponse& response) {
  std::vector<std::string> names;
  for (const std::string& bytes :
       response.file_descriptor_response().file_descriptor_proto()) {
    google::protobuf::FileDescriptorProto file;
    EXPECT_TRUE(file.ParseFromString(bytes));
    // Each import comes before the file that needs it.
    for (const std::string& import : file.dependency()) {
      EXPECT_THAT(names, Contains(import)) << file.name();
    }
    names.push_back(file.name());
  }
  return names;
}

ServerReflectionResponse AskForSymbol(const ReflectionService& service,
                                      const std::string& symbol) {
  ServerReflectionRequest request;
  request.set_file_containing_symbol(symbol);
  return service.Answer(request);
}

TEST(ReflectionServiceTest, ListsTheServicesAndItself) {
  const ReflectionService service({kModelService}, nullptr);
  ServerReflectionRequest request;
  request.set_list_services("");
  std::vector<std::string> names;
  const ServerReflectionResponse answer = service.Answer(request);
  for (const auto& listed : answer.list_services_response().service()) {
    names.push_back(listed.name());
  }
  EXPECT_THAT(names, UnorderedElementsAre(
                         kModelService, ServerReflection::service_full_name()));
}

TEST(ReflectionServiceTest, AFileComesWithAllThatItImports) {
  const ReflectionService service({kModelService}, nullptr);
  for (const char* symbol :
       {kModelService, "saliency.v1.ModelService.GetModel",
        "saliency.v1.GetModelRequest", "saliency.v1.GetModelRequest.model"}) {
    const std::vector<std::string> files =
        FilesIn(AskForSymbol(service, symbol));
    ASSERT_FALSE(files.empty()) << symbol;
    EXPECT_EQ(files.back(), "saliency/v1/model_service.proto");
    EXPECT_THAT(files, Contains("saliency/v1/model_config.proto"));
  }
  ServerReflectionRequest request;
  request.set_file_by_filename("saliency/v1/model_config.proto");
  EXPECT_THAT(FilesIn(service.Answer(request)),
              Contains("saliency/v1/model_config.proto"));
}

TEST(ReflectionServiceTest, WhatTheServicesDoNotUseIsNotShown) {
  const ReflectionService service({kModelService}, nullptr);
  for (const char* symbol : {"grpc.health.v1.Health", "no.such.Thing", ""}) {
    const ServerReflectionResponse answer = AskForSymbol(service, symbol);
    EXPECT_EQ(answer.error_response().error_code(),
              grpc::StatusCode::NOT_FOUND);
    EXPECT_EQ(answer.original_request().file_containing_symbol(), symbol);
  }
  ServerReflectionRequest request;
  request.set_file_by_filename("grpc/health/v1/health.proto");
  EXPECT_EQ(service.Answer(request).error_response().error_code(),
            grpc::StatusCode::NOT_FOUND);
}

TEST(ReflectionServiceTest, ThereAreNoExtensions) {
  const ReflectionService service({kModelService}, nullptr);
  ServerReflectionRequest request;
  request.set_all_extension_numbers_of_type("saliency.v1.GetModelRequest");
  const ServerReflectionResponse answer = service.Answer(request);
  EXPECT_EQ(answer.all_extension_numbers_response().base_type_name(),
            "saliency.v1.GetModelRequest");
  EXPECT_EQ(answer.all_extension_numbers_response().extension_number_size(), 0);
  request.mutable_file_containing_extension()->set_containing_type("x");
  EXPECT_EQ(service.Answer(request).error_response().error_code(),
            grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(service.Answer({}).error_response().error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST(ReflectionServiceTest, OneStreamAnswersQuestionAfterQuestion) {
  TestServer server;
  const auto stub = ServerReflection::NewStub(server.channel());
  grpc::ClientContext context;
  const auto stream = stub->ServerReflectionInfo(&context);
  ServerReflectionRequest request;
  ServerReflectionResponse response;
  for (int i = 0; i < 3; ++i) {
    request.set_file_containing_symbol("no.such.Thing");
    ASSERT_TRUE(stream->Write(request));
    ASSERT_TRUE(stream->Read(&response));
    EXPECT_TRUE(response.has_error_response());
    request.set_list_services("*");
    ASSERT_TRUE(stream->Write(request));
    ASSERT_TRUE(stream->Read(&response));
    EXPECT_EQ(response.list_services_response().service_size(), 4);
  }
  stream->WritesDone();
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST(ReflectionServiceTest, AStreamThatIsLeftOpenDoesNotHoldTheServer) {
  grpc::ClientContext context;
  auto server = std::make_unique<TestServer>();
  const auto stub = ServerReflection::NewStub(server->channel());
  const auto stream = stub->ServerReflectionInfo(&context);
  ServerReflectionRequest request;
  ServerReflectionResponse response;
  request.set_list_services("");
  ASSERT_TRUE(stream->Write(request));
  ASSERT_TRUE(stream->Read(&response));
  server.reset();
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_FALSE(stream->Finish().ok());
}

}  // namespace
}  // namespace saliency::reflection_service_test
