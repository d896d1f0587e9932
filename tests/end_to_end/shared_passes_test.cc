// Sharing over the wire: many maps of one request, and many requests of one
// batch, are what each alone would be; and the metrics tell of it.

#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/end_to_end/model_folder.h"
#include "tests/end_to_end/server_environment.h"
#include "tests/end_to_end/wire.h"

namespace saliency::shared_passes_test {
namespace {

// Convolutions of other batch sizes sum in another order, and the network is
// ten layers deep: rounding grows to about 1e-5 of the maximum.
constexpr float kTolerance = 1e-4F;
constexpr int kClients = 16;

const std::vector<std::string> kLayers = {"layer1", "layer3", "layer4"};
const std::vector<std::string> kMethods = {"norm_grad", "gradient",
                                           "linear_approximation", "grad_cam"};

// The same network twice: "alone" runs what it has as soon as it can,
// "together" waits until sixteen requests are there.
ServerEnvironment& environment = UseServer([](ModelFolder& models) {
  models.AddGolden("tiny_resnet", "script", "alone");
  models.AddGolden("tiny_resnet", "script", "together",
                   "batching { max_rows: 16 max_delay_ms: 10000 }\n");
});

// Raw maps at layer resolution of random numbers.
v1::ComputeSaliencyRequest Request(const std::string& model, int seed) {
  v1::ComputeSaliencyRequest request;
  request.mutable_model()->set_name(model);
  *request.mutable_input() = RandomTensor(seed, GoldenInputSize("tiny_resnet"));
  request.mutable_output()->set_named_size(v1::NAMED_SIZE_LAYER);
  request.mutable_output()->set_normalise(false);
  return request;
}

v1::ComputeSaliencyResponse Ask(const v1::ComputeSaliencyRequest& request) {
  const auto response = environment.client().ComputeSaliency(request);
  EXPECT_TRUE(response.ok()) << response.status();
  return response.ok() ? *response : v1::ComputeSaliencyResponse();
}

MetricsPage Metrics() { return environment.server().Metrics().value(); }

// A job is let go just after its answer has left.
void AwaitIdle() {
  const absl::Time deadline = absl::Now() + kPatience;
  MetricsPage page = Metrics();
  while ((page.Sum("saliency_in_flight") != 0 ||
          page.Sum("saliency_queue_bytes") != 0) &&
         absl::Now() < deadline) {
    page = Metrics();
  }
  EXPECT_EQ(page.Sum("saliency_in_flight"), 0);
  EXPECT_EQ(page.Sum("saliency_queue_depth"), 0);
  EXPECT_EQ(page.Sum("saliency_queue_bytes"), 0);
}

TEST(SharedPassesTest, ThreeTargetsFourMethodsThreeLayersAreAs36Requests) {
  std::vector<v1::Target> targets(3);
  targets[0].set_rank_from_top(0);
  targets[1].set_class_index(3);
  targets[2].set_rank_from_bottom(0);
  v1::ComputeSaliencyRequest all = Request("alone", 1);
  all.mutable_targets()->Assign(targets.begin(), targets.end());
  for (const std::string& method : kMethods) {
    *all.add_attributions() = At(method, kLayers);
  }
  const v1::ComputeSaliencyResponse shared = Ask(all);
  ASSERT_EQ(shared.maps_size(), 36);
  EXPECT_EQ(shared.summary().batch().requests(), 1);
  EXPECT_EQ(shared.summary().batch().rows(), 3);
  int index = 0;
  for (const v1::Target& target : targets) {
    for (const std::string& method : kMethods) {
      for (const std::string& layer : kLayers) {
        SCOPED_TRACE(index);
        v1::ComputeSaliencyRequest one = Request("alone", 1);
        *one.add_targets() = target;
        *one.add_attributions() = At(method, {layer});
        const v1::ComputeSaliencyResponse single = Ask(one);
        ASSERT_EQ(single.maps_size(), 1);
        ExpectSameMap(shared.maps(index), single.maps(0), kTolerance);
        ++index;
      }
    }
  }
}

// A request like no other of the sixteen: image, class, method, layers, score
// and what is done with the map.
v1::ComputeSaliencyRequest Varied(v1::ComputeSaliencyRequest request, int i) {
  *request.add_targets() = ClassIndexTarget(i % 10);
  std::vector<std::string> layers = {kLayers[i % kLayers.size()]};
  if (i % 4 == 0) layers.push_back(kLayers[(i + 1) % kLayers.size()]);
  *request.add_attributions() = At(kMethods[i % kMethods.size()], layers);
  if (i % 5 == 0) {
    v1::ExtractAggregate& pair = *request.add_attributions()->mutable_pair();
    pair.set_extract(v1::EXTRACT_CONV1X1);
    pair.set_aggregate(v1::AGGREGATE_NORM);
  }
  if (i % 3 == 0) request.set_score(v1::SCORE_LOG_SOFTMAX);
  if (i % 2 == 0) {
    request.mutable_output()->set_named_size(v1::NAMED_SIZE_MODEL_INPUT);
    request.mutable_output()->set_normalise(true);
  }
  if (i % 7 == 0) request.mutable_output()->set_smooth_sigma(0.02F);
  return request;
}

std::vector<v1::ComputeSaliencyResponse> AskAtOnce(
    const std::vector<v1::ComputeSaliencyRequest>& requests) {
  std::vector<v1::ComputeSaliencyResponse> responses(requests.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < requests.size(); ++i) {
    threads.emplace_back([&, i] {
      const auto response = environment.client().ComputeSaliency(requests[i]);
      EXPECT_TRUE(response.ok()) << i << ": " << response.status();
      if (response.ok()) responses[i] = *response;
    });
  }
  for (std::thread& thread : threads) thread.join();
  return responses;
}

TEST(SharedPassesTest, SixteenDifferentRequestsAreOneBatchAndAsSingles) {
  std::vector<v1::ComputeSaliencyRequest> requests;
  for (int i = 0; i < kClients; ++i) {
    requests.push_back(Varied(Request("together", 100 + i), i));
  }
  const MetricLabels labels = {{"model", "together"}};
  const MetricsPage before = Metrics();
  const std::vector<v1::ComputeSaliencyResponse> responses =
      AskAtOnce(requests);
  const MetricsPage after = Metrics();
  for (int i = 0; i < kClients; ++i) {
    SCOPED_TRACE(i);
    EXPECT_EQ(responses[i].summary().batch().requests(), kClients);
    EXPECT_EQ(responses[i].summary().batch().rows(), kClients);
    const v1::ComputeSaliencyResponse single =
        Ask(Varied(Request("alone", 100 + i), i));
    EXPECT_EQ(single.summary().batch().requests(), 1);
    ASSERT_EQ(responses[i].maps_size(), single.maps_size());
    for (int m = 0; m < single.maps_size(); ++m) {
      ExpectSameMap(responses[i].maps(m), single.maps(m), kTolerance);
    }
  }
  EXPECT_EQ(after.Sum("saliency_batch_requests_count", labels) -
                before.Sum("saliency_batch_requests_count", labels),
            1);
  EXPECT_EQ(after.Sum("saliency_batch_requests_sum", labels) -
                before.Sum("saliency_batch_requests_sum", labels),
            kClients);
}

// What clients counted, by code.
using Counted = std::map<std::string, int>;

// Each client calls again when it has its answer; every fifth call is a
// mistake.
Counted ClosedLoop(const v1::ComputeSaliencyRequest& good, int calls) {
  std::vector<Counted> counted(kClients);
  std::vector<std::thread> threads;
  for (int t = 0; t < kClients; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < calls; ++i) {
        v1::ComputeSaliencyRequest request = Varied(good, i);
        if (i % 10 == 4) request.mutable_model()->set_name("none");
        if (i % 10 == 9) request.mutable_targets(0)->set_class_index(10);
        const auto response = environment.client().ComputeSaliency(request);
        ++counted[t][absl::StatusCodeToString(response.status().code())];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  Counted sum;
  for (const Counted& one : counted) {
    for (const auto& [code, count] : one) sum[code] += count;
  }
  return sum;
}

TEST(SharedPassesTest, SixteenClientsShareBatchesAndTheMetricsAddUp) {
  constexpr int kCalls = 20;
  const MetricsPage before = Metrics();
  const Counted counted = ClosedLoop(Request("alone", 7), kCalls);
  const MetricsPage after = Metrics();
  const auto grown = [&](const std::string& name, const MetricLabels& labels) {
    return after.Sum(name, labels) - before.Sum(name, labels);
  };
  EXPECT_EQ(counted.at("OK"), kClients * kCalls * 8 / 10);
  EXPECT_EQ(counted.at("NOT_FOUND"), kClients * kCalls / 10);
  EXPECT_EQ(counted.at("INVALID_ARGUMENT"), kClients * kCalls / 10);
  for (const auto& [code, count] : counted) {
    EXPECT_EQ(grown("saliency_requests_total",
                    {{"rpc", "ComputeSaliency"}, {"code", code}}),
              count)
        << code;
  }
  EXPECT_EQ(grown("saliency_requests_total", {{"rpc", "ComputeSaliency"}}),
            kClients * kCalls)
      << "no other code";
  EXPECT_EQ(grown("saliency_request_duration_seconds_count",
                  {{"rpc", "ComputeSaliency"}}),
            kClients * kCalls);
  const MetricLabels alone = {{"model", "alone"}};
  EXPECT_EQ(grown("saliency_batch_requests_sum", alone), counted.at("OK"));
  EXPECT_EQ(grown("saliency_batch_rows_sum", alone), counted.at("OK"));
  EXPECT_EQ(grown("saliency_queue_duration_seconds_count", alone),
            counted.at("OK"));
  // While one batch runs, the others queue.
  EXPECT_LT(grown("saliency_batch_requests_bucket",
                  {{"model", "alone"}, {"le", "1"}}),
            grown("saliency_batch_requests_count", alone))
      << "batches of more than one request";
  AwaitIdle();
}

}  // namespace
}  // namespace saliency::shared_passes_test
