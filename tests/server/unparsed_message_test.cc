// Messages that cannot be parsed: told apart from the end of a stream, answered
// with a reason, counted.

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/transport/incoming.h"
#include "tests/server/calibration_caller.h"
#include "tests/server/raw_call.h"
#include "tests/server/temporary_folder.h"
#include "tests/server/test_server.h"

namespace saliency::unparsed_message_test {
namespace {

using grpc::StatusCode;
using ::testing::HasSubstr;

constexpr char kNoUtf8[] = "caf\xe9";

// On a port: in process, a write waits for the reader.
std::unique_ptr<TestServer> Serve(TestServer::Options options = {}) {
  options.listen.address = "127.0.0.1:0";
  auto server = std::make_unique<TestServer>(std::move(options));
  server->AddFakeModel();
  return server;
}

std::shared_ptr<grpc::Channel> ChannelTo(const TestServer& server) {
  return grpc::CreateChannel(absl::StrCat("127.0.0.1:", server.port()),
                             grpc::InsecureChannelCredentials());
}

// Of a text field, whose encoder does not look.
std::string WithText(const google::protobuf::Message& message) {
  return message.SerializePartialAsString();
}

v1::ComputeSaliencyRequest RequestWithBadMethod() {
  v1::ComputeSaliencyRequest request = FakeRequest();
  request.mutable_attributions(0)->set_method(kNoUtf8);
  return request;
}

absl::Status Parse(const std::string& bytes,
                   google::protobuf::Message& message) {
  const grpc::Slice slice(bytes);
  grpc::ByteBuffer buffer(&slice, 1);
  return ParseMessage(buffer, message);
}

TEST(ParseMessageTest, EveryBeginningThatIsNoMessageIsRefused) {
  const std::string whole = FakeRequest().SerializeAsString();
  v1::ComputeSaliencyRequest message;
  ASSERT_TRUE(Parse(whole, message).ok());
  int refused = 0;
  for (size_t size = 0; size < whole.size(); ++size) {
    v1::ComputeSaliencyRequest cut;
    const bool right = cut.ParseFromString(whole.substr(0, size));
    const absl::Status parsed = Parse(whole.substr(0, size), message);
    EXPECT_EQ(parsed.ok(), right) << size;
    if (parsed.ok()) continue;
    ++refused;
    EXPECT_EQ(parsed.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(parsed.message()),
                HasSubstr("no saliency.v1.ComputeSaliencyRequest"));
  }
  EXPECT_GT(refused, 700) << "most of it is one field";
}

TEST(ParseMessageTest, TextThatIsNotUtf8IsNamedByItsPath) {
  v1::ComputeSaliencyRequest message;
  EXPECT_THAT(
      std::string(Parse(WithText(RequestWithBadMethod()), message).message()),
      HasSubstr("attributions[0].method: the text is not UTF-8"));
  v1::ComputeSaliencyRequest request = FakeRequest();
  request.mutable_attributions(0)->set_layers(0, kNoUtf8);
  EXPECT_THAT(std::string(Parse(WithText(request), message).message()),
              HasSubstr("attributions[0].layers[0]: the text is not UTF-8"));
  request = FakeRequest();
  request.mutable_model()->set_name(kNoUtf8);
  EXPECT_THAT(std::string(Parse(WithText(request), message).message()),
              HasSubstr("model.name: the text is not UTF-8"));
}

// Every method, unary and not.
TEST(UnparsedMessageTest, EveryCallEndsWithInvalidArgumentAndIsCounted) {
  const TemporaryFolder folder;
  const auto server =
      Serve({.allow_calibration = true, .folder = folder.path()});
  const std::string garbage = "\x0a\xff\xff";
  int calls = 0;
  for (const char* name :
       {"SaliencyService/ComputeSaliency", "SaliencyService/CombineLayers",
        "SaliencyService/MetaSaliency",
        "SaliencyService/MeasureClassSensitivity",
        "SaliencyService/StreamSaliency",
        "SaliencyService/MeasureWeightSensitivity", "ModelService/ListModels",
        "ModelService/GetModel", "ModelService/CalibrateLayerWeights"}) {
    SCOPED_TRACE(name);
    RawCall call(ChannelTo(*server), std::string("/saliency.v1.") + name);
    call.Write(garbage);
    call.WritesDone();
    const grpc::Status status = call.Finish();
    EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
    EXPECT_THAT(status.error_message(), HasSubstr("no saliency.v1."));
    EXPECT_EQ(server->Metric("saliency_requests_total",
                             {{"code", "INVALID_ARGUMENT"}}),
              ++calls);
  }
  for (const char* path :
       {"/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"}) {
    RawCall call(ChannelTo(*server), path);
    call.Write(garbage);
    call.WritesDone();
    EXPECT_EQ(call.Finish().error_code(), StatusCode::INVALID_ARGUMENT) << path;
  }
}

TEST(UnparsedMessageTest, ACallWithoutARequestSaysSo) {
  const auto server = Serve();
  RawCall call(ChannelTo(*server), "/saliency.v1.ModelService/GetModel");
  call.WritesDone();
  const grpc::Status status = call.Finish();
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("without a request"));
  EXPECT_EQ(
      server->Metric("saliency_requests_total", {{"code", "INVALID_ARGUMENT"}}),
      1);
}

std::string Question(const std::string& id) {
  v1::StreamSaliencyRequest question;
  question.set_id(id);
  *question.mutable_compute() = FakeRequest();
  return WithText(question);
}

TEST(UnparsedMessageTest, AStreamAnswersWhatCameBeforeAndEndsWithTheReason) {
  for (const std::string& bad :
       {Question(kNoUtf8), Question("b").substr(0, 200),
        std::string("\xff\xff\xff\xff")}) {
    const auto server = Serve();
    RawCall call(ChannelTo(*server),
                 "/saliency.v1.SaliencyService/StreamSaliency");
    call.Write(Question("a"));
    call.Write(bad);
    call.Write(Question("c"));
    call.WritesDone();
    std::vector<std::string> answered;
    while (const auto bytes = call.Read()) {
      v1::StreamSaliencyResponse answer;
      ASSERT_TRUE(answer.ParseFromString(*bytes));
      EXPECT_EQ(answer.status().code(), 0);
      answered.push_back(answer.id());
    }
    EXPECT_EQ(answered, std::vector<std::string>{"a"});
    const grpc::Status status = call.Finish();
    EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
    EXPECT_THAT(status.error_message(), HasSubstr("question 2"));
    EXPECT_EQ(server->Metric(
                  "saliency_requests_total",
                  {{"rpc", "StreamSaliency"}, {"code", "INVALID_ARGUMENT"}}),
              1);
  }
}

// gRPC takes half a message before the end of a stream for the end.
TEST(UnparsedMessageTest, ACalibrationWithoutItsEndStoresNothing) {
  const TemporaryFolder folder;
  const auto server =
      Serve({.allow_calibration = true, .folder = folder.path()});
  const auto file = folder / std::string("layer_weights.pbtxt");
  CalibrationCaller cut(server->models());
  cut.Send(FakeSettings());
  cut.SendTwoClasses(10);
  const CalibrationOutcome outcome = cut.BreakOff();
  EXPECT_EQ(outcome.status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(outcome.status.error_message(), HasSubstr("end: missing"));
  CalibrationCaller lost(server->models());
  lost.Send(FakeSettings());
  lost.SendTwoClasses(10);
  lost.SendEnd(21);
  const grpc::Status status = lost.BreakOff().status;
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(),
              HasSubstr("end.images: 21, but 20 have come"));
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST(UnparsedMessageTest, ACutImageEndsACalibrationAndStoresNothing) {
  const TemporaryFolder folder;
  const auto server =
      Serve({.allow_calibration = true, .folder = folder.path()});
  RawCall call(ChannelTo(*server),
               "/saliency.v1.ModelService/CalibrateLayerWeights");
  v1::CalibrateLayerWeightsRequest message;
  *message.mutable_settings() = FakeSettings();
  call.Write(message.SerializeAsString());
  for (int number = 0; number < 12; ++number) {
    const int image_class = number % 2;
    *message.mutable_image() = FakeImage(number, image_class, {image_class});
    const std::string bytes = message.SerializeAsString();
    // Half a message is none; the twelve images would do without it.
    call.Write(number == 10 ? bytes.substr(0, bytes.size() / 2) : bytes);
  }
  call.WritesDone();
  const grpc::Status status = call.Finish();
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT)
      << status.error_message();
  EXPECT_THAT(status.error_message(),
              HasSubstr("no saliency.v1.CalibrateLayerWeightsRequest"));
  EXPECT_FALSE(
      std::filesystem::exists(folder / std::string("layer_weights.pbtxt")));
}

}  // namespace
}  // namespace saliency::unparsed_message_test
