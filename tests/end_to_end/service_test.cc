// What every client meets first, at the real server: health, reflection,
// request ids, and gRPC's own limit on messages.

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "google/protobuf/descriptor.pb.h"
#include "google/protobuf/unknown_field_set.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "saliency/v1/model_service.grpc.pb.h"
#include "saliency/v1/saliency_service.grpc.pb.h"
#include "tests/end_to_end/model_folder.h"
#include "tests/end_to_end/server_environment.h"
#include "tests/end_to_end/wire.h"

namespace saliency::service_test {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;

ServerEnvironment& environment = UseServer([](ModelFolder& models) {
  models.AddGolden("tiny_resnet", "script", "resnet");
});

// A request that is answered.
v1::ComputeSaliencyRequest GoodRequest() {
  v1::ComputeSaliencyRequest request;
  *request.mutable_input() = RandomTensor(1, GoldenInputSize("tiny_resnet"));
  return request;
}

// A call by the field numbers of the published definition, without our own
// stubs: what grpcurl and others would see.
class ReflectionCall {
 public:
  // `version`: "v1" or "v1alpha".
  ReflectionCall(const std::shared_ptr<grpc::Channel>& channel,
                 const std::string& version)
      : stub_(channel) {
    context_.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
    call_ = stub_.PrepareCall(
        &context_,
        absl::StrCat("/grpc.reflection.", version,
                     ".ServerReflection/ServerReflectionInfo"),
        &queue_);
    call_->StartCall(nullptr);
    EXPECT_TRUE(Await());
  }
  ~ReflectionCall() {
    context_.TryCancel();
    grpc::Status status;
    call_->Finish(&status, nullptr);
    Await();
    queue_.Shutdown();
    EXPECT_FALSE(Await());
  }

  // Sends the request with `text` in field `number`; returns what the answer
  // holds in field `answer`, each field 1 of it.
  std::vector<std::string> Ask(int number, const std::string& text,
                               int answer) {
    google::protobuf::UnknownFieldSet fields;
    fields.AddLengthDelimited(number)->assign(text);
    std::string bytes;
    EXPECT_TRUE(fields.SerializeToString(&bytes));
    const grpc::Slice slice(bytes);
    call_->Write(grpc::ByteBuffer(&slice, 1), nullptr);
    EXPECT_TRUE(Await());
    grpc::ByteBuffer buffer;
    call_->Read(&buffer, nullptr);
    EXPECT_TRUE(Await());
    grpc::Slice whole;
    EXPECT_TRUE(buffer.DumpToSingleSlice(&whole).ok());
    std::vector<std::string> found;
    for (const std::string& part :
         Fields(std::string(reinterpret_cast<const char*>(whole.begin()),
                            whole.size()),
                answer)) {
      for (std::string& item : Fields(part, 1)) {
        found.push_back(std::move(item));
      }
    }
    return found;
  }

  // The length-delimited fields of that number.
  static std::vector<std::string> Fields(const std::string& bytes, int number) {
    google::protobuf::UnknownFieldSet fields;
    EXPECT_TRUE(fields.ParseFromString(bytes));
    std::vector<std::string> found;
    for (int i = 0; i < fields.field_count(); ++i) {
      const google::protobuf::UnknownField& field = fields.field(i);
      if (field.number() == number &&
          field.type() ==
              google::protobuf::UnknownField::TYPE_LENGTH_DELIMITED) {
        found.push_back(field.length_delimited());
      }
    }
    return found;
  }

 private:
  bool Await() {
    void* tag = nullptr;
    bool ok = false;
    return queue_.Next(&tag, &ok) && ok;
  }

  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
};

// Field numbers of grpc.reflection.v1 and v1alpha alike.
constexpr int kFileContainingSymbol = 4;
constexpr int kFileDescriptorResponse = 4;
constexpr int kListServices = 7;
constexpr int kListServicesResponse = 6;

TEST(ServiceTest, ReflectionListsTheServices) {
  for (const char* version : {"v1", "v1alpha"}) {
    ReflectionCall call(environment.server().channel(), version);
    std::set<std::string> names;
    for (const std::string& service :
         call.Ask(kListServices, "", kListServicesResponse)) {
      for (const std::string& name : ReflectionCall::Fields(service, 1)) {
        names.insert(name);
      }
    }
    EXPECT_THAT(names, IsSupersetOf(
                           {"saliency.v1.SaliencyService",
                            "saliency.v1.ModelService", "grpc.health.v1.Health",
                            "grpc.reflection.v1.ServerReflection",
                            "grpc.reflection.v1alpha.ServerReflection"}));
  }
}

TEST(ServiceTest, ReflectionDescribesTheServices) {
  ReflectionCall call(environment.server().channel(), "v1");
  std::set<std::string> methods;
  for (const std::string& bytes :
       call.Ask(kFileContainingSymbol, "saliency.v1.SaliencyService",
                kFileDescriptorResponse)) {
    google::protobuf::FileDescriptorProto file;
    ASSERT_TRUE(file.ParseFromString(bytes));
    for (const auto& service : file.service()) {
      for (const auto& method : service.method()) {
        methods.insert(absl::StrCat(service.name(), ".", method.name()));
      }
    }
  }
  EXPECT_THAT(methods, Contains("SaliencyService.ComputeSaliency"));
}

TEST(ServiceTest, HealthAnswersForServerServicesAndModels) {
  using grpc::health::v1::HealthCheckResponse;
  const auto stub =
      grpc::health::v1::Health::NewStub(environment.server().channel());
  const auto check = [&](const std::string& service,
                         HealthCheckResponse& response) {
    grpc::ClientContext context;
    grpc::health::v1::HealthCheckRequest request;
    request.set_service(service);
    return stub->Check(&context, request, &response);
  };
  for (const char* service : {"", "saliency.v1.SaliencyService",
                              "saliency.v1.ModelService", "model/resnet"}) {
    SCOPED_TRACE(service);
    HealthCheckResponse response;
    EXPECT_TRUE(check(service, response).ok());
    EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  }
  HealthCheckResponse response;
  EXPECT_EQ(check("model/none", response).error_code(),
            grpc::StatusCode::NOT_FOUND);
}

std::string TrailingId(const grpc::ClientContext& context) {
  const auto& trailing = context.GetServerTrailingMetadata();
  const auto found = trailing.find("x-request-id");
  return found == trailing.end()
             ? ""
             : std::string(found->second.data(), found->second.size());
}

TEST(ServiceTest, RequestIdsComeBackAndStandInTheLog) {
  const auto stub =
      v1::SaliencyService::NewStub(environment.server().channel());
  v1::ComputeSaliencyResponse response;
  {
    grpc::ClientContext context;
    context.AddMetadata("x-request-id", "tell-me-apart-17");
    EXPECT_TRUE(stub->ComputeSaliency(&context, GoodRequest(), &response).ok());
    EXPECT_EQ(TrailingId(context), "tell-me-apart-17");
  }
  {
    grpc::ClientContext context;
    context.AddMetadata(
        "traceparent",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    EXPECT_TRUE(stub->ComputeSaliency(&context, GoodRequest(), &response).ok());
    EXPECT_EQ(TrailingId(context), "4bf92f3577b34da6a3ce929d0e0e4736");
  }
  std::set<std::string> made;
  for (int i = 0; i < 3; ++i) {
    grpc::ClientContext context;
    v1::ComputeSaliencyRequest bad = GoodRequest();
    bad.mutable_model()->set_name("none");
    EXPECT_EQ(stub->ComputeSaliency(&context, bad, &response).error_code(),
              grpc::StatusCode::NOT_FOUND);
    made.insert(TrailingId(context));
  }
  EXPECT_EQ(made.size(), 3U) << "also failed calls get an id, each its own";
  EXPECT_EQ(made.count(""), 0U);
  EXPECT_TRUE(environment.server().process().AwaitError("tell-me-apart-17"));
  EXPECT_TRUE(environment.server().process().AwaitError(
      "4bf92f3577b34da6a3ce929d0e0e4736"));
}

TEST(ServiceTest, MessageAboveTheLimitIsRefusedAndTheNextOneServed) {
  const auto stub =
      v1::SaliencyService::NewStub(environment.server().channel());
  v1::ComputeSaliencyResponse response;
  v1::ComputeSaliencyRequest huge;
  huge.mutable_input()->set_image(std::string(33 << 20, 'x'));
  grpc::ClientContext context;
  const grpc::Status status = stub->ComputeSaliency(&context, huge, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("larger than max"));
  grpc::ClientContext next;
  EXPECT_TRUE(stub->ComputeSaliency(&next, GoodRequest(), &response).ok());
  EXPECT_EQ(response.maps_size(), 1);
}

}  // namespace
}  // namespace saliency::service_test
