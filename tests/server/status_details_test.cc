// What callers get beside a message, over a real connection.

#include "server/convert/status_details.h"

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/violations.h"
#include "core/engine/refusal.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"
#include "server/convert/public_status.h"
#include "server/convert/refusal_reason.h"
#include "tests/server/held_jobs.h"
#include "tests/server/stream_caller.h"
#include "tests/server/test_server.h"

namespace saliency::status_details_test {
namespace {

using testing::ElementsAre;
using testing::Pair;
using testing::UnorderedElementsAre;

// Of the details, which are checked to be there once at most.
struct Details {
  google::rpc::ErrorInfo info;
  google::rpc::BadRequest bad;
  google::rpc::RetryInfo retry;
  bool has_retry = false;

  std::vector<std::string> fields() const {
    std::vector<std::string> fields;
    for (const auto& one : bad.field_violations()) {
      fields.push_back(one.field());
    }
    return fields;
  }
};

template <typename Status>
Details DetailsIn(const Status& status) {
  Details details;
  int bad = 0;
  int infos = 0;
  for (const google::protobuf::Any& any : status.details()) {
    if (any.UnpackTo(&details.info)) ++infos;
    if (any.UnpackTo(&details.bad)) ++bad;
    details.has_retry |= any.UnpackTo(&details.retry);
  }
  EXPECT_EQ(infos, 1);
  EXPECT_LE(bad, 1);
  EXPECT_EQ(details.info.domain(), "saliency.v1");
  return details;
}

// Of a call's end, whose details say the same as the call.
Details DetailsOfCall(const grpc::Status& status) {
  google::rpc::Status all;
  EXPECT_TRUE(all.ParseFromString(status.error_details()));
  EXPECT_EQ(all.code(), static_cast<int>(status.error_code()));
  EXPECT_EQ(all.message(), status.error_message());
  return DetailsIn(all);
}

grpc::Status Ask(TestServer& server, const v1::ComputeSaliencyRequest& request,
                 const std::string& request_id = "r1") {
  grpc::ClientContext context;
  context.AddMetadata("x-request-id", request_id);
  v1::ComputeSaliencyResponse response;
  return server.saliency().ComputeSaliency(&context, request, &response);
}

v1::ComputeSaliencyRequest BadInFourWays() {
  v1::ComputeSaliencyRequest request = FakeRequest();
  request.set_top_k(0);
  request.add_targets()->set_class_index(10);
  request.mutable_attributions(0)->set_method("grad_cma");
  request.mutable_output()->set_encoding(static_cast<v1::MapEncoding>(99));
  return request;
}

TEST(StatusDetailsTest, ABadRequestNamesEveryField) {
  TestServer server;
  server.AddFakeModel();
  const Details details = DetailsOfCall(Ask(server, BadInFourWays()));
  EXPECT_EQ(details.info.reason(), "INVALID_ARGUMENT");
  EXPECT_THAT(
      (std::map<std::string, std::string>(details.info.metadata().begin(),
                                          details.info.metadata().end())),
      UnorderedElementsAre(Pair("request_id", "r1"), Pair("model", "fake"),
                           Pair("version", "1")));
  EXPECT_THAT(
      details.fields(),
      UnorderedElementsAre("top_k", "targets[0].class_index",
                           "attributions[0].method", "output.encoding"));
  EXPECT_FALSE(details.has_retry);
}

TEST(StatusDetailsTest, AnUnknownModelIsAViolationOfItsField) {
  TestServer server;
  server.AddFakeModel();
  v1::ComputeSaliencyRequest request = FakeRequest();
  request.mutable_model()->set_name("fke");
  const grpc::Status status = Ask(server, request);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  const Details details = DetailsOfCall(status);
  EXPECT_EQ(details.info.reason(), "NOT_FOUND");
  EXPECT_THAT(details.fields(), ElementsAre("model"));
}

TEST(StatusDetailsTest, WhatCannotBeParsedNamesTheField) {
  TestServer server;
  v1::GetModelRequest request;
  request.mutable_model()->set_name("\xff");
  grpc::ClientContext context;
  v1::GetModelResponse response;
  const grpc::Status status =
      server.models().GetModel(&context, request, &response);
  EXPECT_THAT(DetailsOfCall(status).fields(), ElementsAre("model.name"));
}

TEST(StatusDetailsTest, AFullQueueSaysHowLongToWaitAndWhatNeverFitsDoesNot) {
  for (const bool passes : {true, false}) {
    HeldJobs jobs;
    TestServer server({.submit = jobs.Submit()});
    server.AddFakeModel();
    StreamCaller stream(server);
    stream.Ask(Compute("a"));
    ASSERT_TRUE(jobs.Await(1));
    jobs.Answer(0, passes ? absl::ResourceExhaustedError("queue full")
                          : TooLargeError("one row does not fit"));
    const Details details = DetailsIn(stream.Read().status());
    EXPECT_EQ(details.info.reason(), passes ? "QUEUE_FULL" : "TOO_LARGE");
    EXPECT_EQ(details.has_retry, passes);
    EXPECT_EQ(details.retry.retry_delay().nanos(), passes ? 200'000'000 : 0);
    EXPECT_EQ(details.bad.field_violations_size(), 0);
    EXPECT_TRUE(stream.End().ok());
  }
}

TEST(StatusDetailsTest, PathsOfAStreamsItemBeginWithItsKind) {
  TestServer server;
  server.AddFakeModel();
  StreamCaller stream(server);
  v1::StreamSaliencyRequest item;
  item.set_id("a");
  *item.mutable_compute() = BadInFourWays();
  stream.Ask(item);
  const Details details = DetailsIn(stream.Read().status());
  EXPECT_EQ(details.info.metadata().at("request_id"), "s1/1");
  EXPECT_THAT(details.fields(),
              UnorderedElementsAre(
                  "compute.top_k", "compute.targets[0].class_index",
                  "compute.attributions[0].method", "compute.output.encoding"));
  item = Compute("b");
  item.set_timeout_seconds(-1);
  stream.Ask(item);
  EXPECT_THAT(DetailsIn(stream.Read().status()).fields(),
              ElementsAre("timeout_seconds"));
  EXPECT_TRUE(stream.End().ok());
}

// gRPC gives callers no status at all when the trailers are above 8 KiB.
TEST(StatusDetailsTest, ManyViolationsFitTheMetadata) {
  TestServer server;
  server.AddFakeModel();
  for (const char* letter : {"x", "%", "\xc3\xa9"}) {
    std::string label;
    for (int i = 0; i < 100; ++i) label += letter;
    v1::ComputeSaliencyRequest request = FakeRequest();
    for (int i = 0; i < 60; ++i) {
      request.add_targets()->set_label(absl::StrCat(i, label));
    }
    const grpc::Status status = Ask(server, request, std::string(100, 'i'));
    ASSERT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT)
        << letter << status.error_message();
    const Details details = DetailsOfCall(status);
    EXPECT_GE(details.bad.field_violations_size(), 1) << letter;
    EXPECT_EQ(details.fields().front(), "targets[0].label");
  }
}

TEST(StatusDetailsTest, OurOwnFaultShowsNothingButTheRequestId) {
  const absl::Status fault = absl::InternalError("/usr/src/torch.cpp:12");
  const absl::Status shown = WithDetails(
      PublicStatus(fault, "r1"), fault,
      {.request_id = "r1",
       .request = {.type = v1::ComputeSaliencyRequest::descriptor()}});
  const grpc::Status status = ToGrpcStatus(shown);
  EXPECT_EQ(status.error_details().find("torch"), std::string::npos);
  EXPECT_EQ(DetailsOfCall(status).info.reason(), "INTERNAL");
}

TEST(StatusDetailsTest, ReasonsAreThoseOfTheMetric) {
  const auto reason = [](const absl::Status& status) {
    return DetailsOfCall(ToGrpcStatus(WithDetails(PublicStatus(status, "r1"),
                                                  status, {})))
        .info.reason();
  };
  EXPECT_EQ(reason(StudiesFullError("x")), "STUDIES_FULL");
  EXPECT_EQ(reason(CallsFullError("x")), "CALLS_FULL");
  EXPECT_EQ(reason(UnavailableBecause("draining", "x")), "DRAINING");
  EXPECT_EQ(reason(UnavailableBecause("loading", "x")), "LOADING");
  EXPECT_EQ(reason(FailedModelError("x")), "FAILED");
  EXPECT_EQ(reason(absl::UnavailableError("x")), "UNAVAILABLE");
  EXPECT_EQ(reason(absl::FailedPreconditionError("x")), "FAILED_PRECONDITION");
}

TEST(StatusDetailsTest, WhatIsWellHasNoDetails) {
  EXPECT_TRUE(WithDetails(absl::OkStatus(), absl::OkStatus(), {}).ok());
  EXPECT_EQ(ToGrpcStatus(absl::OkStatus()).error_details(), "");
}

}  // namespace
}  // namespace saliency::status_details_test
