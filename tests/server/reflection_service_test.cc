#include "server/services/reflection_service.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "google/protobuf/descriptor.pb.h"
#include "gtest/gtest.h"
#include "tests/server/test_server.h"

namespace saliency::reflection_service_test {
namespace {

using ::testing::Contains;
using ::testing::UnorderedElementsAre;

constexpr char kModelService[] = "saliency.v1.ModelService";

// Both versions, in all tests.
template <typename Version>
class ReflectionServiceTest : public testing::Test {};
using Versions = testing::Types<ReflectionV1, ReflectionV1Alpha>;
TYPED_TEST_SUITE(ReflectionServiceTest, Versions);

template <typename Response>
std::vector<std::string> FilesIn(const Response& response) {
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

template <typename Version>
typename Version::Response AskForSymbol(
    const ReflectionService<Version>& service, const std::string& symbol) {
  typename Version::Request request;
  request.set_file_containing_symbol(symbol);
  return service.Answer(request);
}

template <typename Version>
typename Version::Response AskForFile(const ReflectionService<Version>& service,
                                      const std::string& name) {
  typename Version::Request request;
  request.set_file_by_filename(name);
  return service.Answer(request);
}

// What generators of other languages need to know.
TYPED_TEST(ReflectionServiceTest, TheFilesNamePackagesOfOtherLanguages) {
  const ReflectionService<TypeParam> service({kModelService}, nullptr);
  const auto answer = AskForFile(service, "saliency/v1/model_service.proto");
  for (const std::string& file :
       answer.file_descriptor_response().file_descriptor_proto()) {
    google::protobuf::FileDescriptorProto proto;
    ASSERT_TRUE(proto.ParseFromString(file));
    if (proto.package() == "google.protobuf") continue;
    EXPECT_EQ(proto.options().go_package(), "saliency/v1;saliencyv1");
    EXPECT_EQ(proto.options().java_package(), "saliency.v1");
    EXPECT_TRUE(proto.options().java_multiple_files());
    EXPECT_EQ(proto.options().csharp_namespace(), "Saliency.V1");
  }
}

TYPED_TEST(ReflectionServiceTest, ListsTheServicesAndBothVersionsOfItself) {
  const ReflectionService<TypeParam> service({kModelService}, nullptr);
  typename TypeParam::Request request;
  request.set_list_services("");
  std::vector<std::string> names;
  const typename TypeParam::Response answer = service.Answer(request);
  for (const auto& listed : answer.list_services_response().service()) {
    names.push_back(listed.name());
  }
  EXPECT_THAT(names, UnorderedElementsAre(
                         kModelService, "grpc.reflection.v1.ServerReflection",
                         "grpc.reflection.v1alpha.ServerReflection"));
}

TYPED_TEST(ReflectionServiceTest, AFileComesWithAllThatItImports) {
  const ReflectionService<TypeParam> service({kModelService}, nullptr);
  for (const char* symbol :
       {kModelService, "saliency.v1.ModelService.GetModel",
        "saliency.v1.GetModelRequest", "saliency.v1.GetModelRequest.model"}) {
    const std::vector<std::string> files =
        FilesIn(AskForSymbol(service, symbol));
    ASSERT_FALSE(files.empty()) << symbol;
    EXPECT_EQ(files.back(), "saliency/v1/model_service.proto");
    EXPECT_THAT(files, Contains("saliency/v1/model_config.proto"));
  }
  typename TypeParam::Request request;
  request.set_file_by_filename("saliency/v1/model_config.proto");
  EXPECT_THAT(FilesIn(service.Answer(request)),
              Contains("saliency/v1/model_config.proto"));
}

TYPED_TEST(ReflectionServiceTest, WhatTheServicesDoNotUseIsNotShown) {
  const ReflectionService<TypeParam> service({kModelService}, nullptr);
  for (const char* symbol : {"grpc.health.v1.Health", "no.such.Thing", ""}) {
    const typename TypeParam::Response answer = AskForSymbol(service, symbol);
    EXPECT_EQ(answer.error_response().error_code(),
              grpc::StatusCode::NOT_FOUND);
    EXPECT_EQ(answer.original_request().file_containing_symbol(), symbol);
  }
  typename TypeParam::Request request;
  request.set_file_by_filename("grpc/health/v1/health.proto");
  EXPECT_EQ(service.Answer(request).error_response().error_code(),
            grpc::StatusCode::NOT_FOUND);
}

TYPED_TEST(ReflectionServiceTest, ThereAreNoExtensions) {
  const ReflectionService<TypeParam> service({kModelService}, nullptr);
  typename TypeParam::Request request;
  request.set_all_extension_numbers_of_type("saliency.v1.GetModelRequest");
  const typename TypeParam::Response answer = service.Answer(request);
  EXPECT_EQ(answer.all_extension_numbers_response().base_type_name(),
            "saliency.v1.GetModelRequest");
  EXPECT_EQ(answer.all_extension_numbers_response().extension_number_size(), 0);
  request.mutable_file_containing_extension()->set_containing_type("x");
  EXPECT_EQ(service.Answer(request).error_response().error_code(),
            grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(service.Answer({}).error_response().error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TYPED_TEST(ReflectionServiceTest, OneStreamAnswersQuestionAfterQuestion) {
  TestServer server;
  const auto stub = TypeParam::Service::NewStub(server.channel());
  grpc::ClientContext context;
  const auto stream = stub->ServerReflectionInfo(&context);
  typename TypeParam::Request request;
  typename TypeParam::Response response;
  for (int i = 0; i < 3; ++i) {
    request.set_file_containing_symbol("no.such.Thing");
    ASSERT_TRUE(stream->Write(request));
    ASSERT_TRUE(stream->Read(&response));
    EXPECT_TRUE(response.has_error_response());
    request.set_list_services("*");
    ASSERT_TRUE(stream->Write(request));
    ASSERT_TRUE(stream->Read(&response));
    EXPECT_EQ(response.list_services_response().service_size(), 5);
  }
  stream->WritesDone();
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_TRUE(stream->Finish().ok());
}

// The answer repeats the question, and lies there until it is taken.
TYPED_TEST(ReflectionServiceTest, ALongQuestionIsRefused) {
  TestServer server;
  const auto stub = TypeParam::Service::NewStub(server.channel());
  grpc::ClientContext context;
  const auto stream = stub->ServerReflectionInfo(&context);
  typename TypeParam::Request question;
  question.set_file_by_filename(std::string(5000, 'a'));
  stream->Write(question);
  typename TypeParam::Response answer;
  EXPECT_FALSE(stream->Read(&answer));
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), testing::HasSubstr("at most 4096"));
}

TYPED_TEST(ReflectionServiceTest, AStreamThatIsLeftOpenDoesNotHoldTheServer) {
  grpc::ClientContext context;
  auto server = std::make_unique<TestServer>();
  const auto stub = TypeParam::Service::NewStub(server->channel());
  const auto stream = stub->ServerReflectionInfo(&context);
  typename TypeParam::Request request;
  typename TypeParam::Response response;
  request.set_list_services("");
  ASSERT_TRUE(stream->Write(request));
  ASSERT_TRUE(stream->Read(&response));
  server.reset();
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_FALSE(stream->Finish().ok());
}

}  // namespace
}  // namespace saliency::reflection_service_test
