// MetaSaliency and MeasureClassSensitivity through the whole server, over a
// fake model.

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/test_server.h"

namespace saliency::meta_saliency_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<float> Floats(const std::string& bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

v1::MetaSaliencyRequest FakeMetaRequest() {
  const v1::ComputeSaliencyRequest plain = FakeRequest();
  v1::MetaSaliencyRequest request;
  *request.mutable_input() = plain.input();
  *request.mutable_attributions() = plain.attributions();
  *request.mutable_output() = plain.output();
  return request;
}

grpc::Status Ask(TestServer& server, const v1::MetaSaliencyRequest& request,
                 v1::MetaSaliencyResponse& response) {
  grpc::ClientContext context;
  return server.saliency().MetaSaliency(&context, request, &response);
}

TEST(MetaSaliencyTest, AnswersWithBothMapsAndTheirCorrelation) {
  TestServer server;
  server.AddFakeModel();
  v1::MetaSaliencyRequest request = FakeMetaRequest();
  request.set_plain_maps(true);
  request.set_plain_correlation(true);
  v1::MetaSaliencyResponse response;
  const grpc::Status status = Ask(server, request, response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(response.maps_size(), 1);
  const v1::MetaMap& pair = response.maps(0);
  EXPECT_THAT(Floats(pair.map().data()), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(Floats(pair.plain().data()), ElementsAre(3, 2, 1, 0));
  EXPECT_EQ(pair.map().explained_class().label(), "class9");
  EXPECT_EQ(pair.map().explained_class().logit(), 109);
  EXPECT_EQ(pair.plain().explained_class().logit(), 9);
  EXPECT_EQ(pair.plain_correlation(), -1);
  EXPECT_EQ(response.summary().images(0).top(0).logit(), 9)
      << "the model as it is";
  EXPECT_EQ(server.Metric("saliency_requests_total",
                          {{"rpc", "MetaSaliency"}, {"code", "OK"}}),
            1);
  EXPECT_EQ(server.Metric("saliency_rows_total", {{"method", "norm_grad"}}), 2)
      << "with the step and without";
}

TEST(MetaSaliencyTest, AnEpsilonOutOfRangeIsRefusedByName) {
  TestServer server;
  server.AddFakeModel();
  for (const double epsilon : {-1.0, 1.5, std::nan("")}) {
    v1::MetaSaliencyRequest request = FakeMetaRequest();
    request.mutable_step()->set_epsilon(epsilon);
    v1::MetaSaliencyResponse response;
    const grpc::Status status = Ask(server, request, response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_THAT(status.error_message(), HasSubstr("step.epsilon "));
    EXPECT_THAT(status.error_message(), HasSubstr("not in [0, 1]"));
  }
}

TEST(MeasureClassSensitivityTest, AnswersPerImageAndInSum) {
  TestServer server;
  server.AddFakeModel();
  v1::MeasureClassSensitivityRequest request;
  *request.mutable_input() = FakeRequest().input();
  for (const char* layer : {"conv", "last"}) {
    request.add_attributions()->set_method("gradient");
    request.mutable_attributions()->rbegin()->add_layers(layer);
  }
  request.add_combinations()->mutable_attribution()->add_layers("conv");
  request.mutable_step();
  v1::MeasureClassSensitivityResponse response;
  grpc::ClientContext context;
  const grpc::Status status =
      server.saliency().MeasureClassSensitivity(&context, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.summary().model().name(), "fake");
  EXPECT_EQ(response.summary().batch().rows(), 2);
  ASSERT_EQ(response.measurements_size(), 3);
  EXPECT_EQ(response.measurements(1).attribution(), 1);
  EXPECT_EQ(response.measurements(1).layer(), "last");
  EXPECT_EQ(response.measurements(1).most_likely().logit(), 109);
  // The fake gives the same map to every class.
  EXPECT_EQ(response.measurements(1).correlation(), 1);
  EXPECT_EQ(response.measurements(2).layer(), "");
  ASSERT_EQ(response.summaries_size(), 3);
  EXPECT_EQ(response.summaries(2).mean(), 1);
  EXPECT_EQ(response.summaries(2).count(), 1);
  EXPECT_EQ(server.Metric("saliency_requests_total",
                          {{"rpc", "MeasureClassSensitivity"}}),
            1);
}

TEST(MeasureClassSensitivityTest, EveryResultFailingFailsTheCall) {
  TestServer server;
  server.AddFakeModel();
  v1::MeasureClassSensitivityRequest request;
  *request.mutable_input() = FakeRequest().input();
  request.add_attributions()->set_method("gradient");
  request.mutable_attributions(0)->add_layers("cnv");
  v1::MeasureClassSensitivityResponse response;
  grpc::ClientContext context;
  const grpc::Status status =
      server.saliency().MeasureClassSensitivity(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(status.error_message(), HasSubstr("nearest: \"conv\""));
}

}  // namespace
}  // namespace saliency::meta_saliency_test
