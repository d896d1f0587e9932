// MeasureWeightSensitivity through the server, on copies that are fakes.

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/drain.h"
#include "tests/server/test_server.h"

namespace saliency::weight_sensitivity_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using Stage = v1::MeasureWeightSensitivityResponse;

constexpr absl::Duration kPatience = absl::Seconds(60);

v1::MeasureWeightSensitivityRequest FakeQuestion() {
  const v1::ComputeSaliencyRequest compute = FakeRequest();
  v1::MeasureWeightSensitivityRequest question;
  *question.mutable_input() = compute.input();
  *question.mutable_attributions() = compute.attributions();
  *question.mutable_output() = compute.output();
  return question;
}

// Copies with four parameterised modules; `hook` runs before each pass.
class Copies {
 public:
  explicit Copies(FakeExplainer::Hook hook = nullptr)
      : hook_(std::move(hook)) {}

  CopiesOfModel Maker() {
    return [this](const ModelVersion&, uint64_t seed) -> CopyModel {
      seed_ = seed;
      return
          [this](absl::Span<const std::string>) -> absl::StatusOr<ModelCopy> {
            return ModelCopy{
                .explainer = std::make_unique<FakeExplainer>(log_, hook_),
                .parameter_names = {"a.weight", "b.weight", "c.weight",
                                    "d.weight"}};
          };
    };
  }

  size_t passes() { return log_.Batches().size(); }
  uint64_t seed() const { return seed_; }

 private:
  const FakeExplainer::Hook hook_;
  ExplainerLog log_;
  uint64_t seed_ = 0;
};

std::vector<Stage> ReadAll(grpc::ClientReader<Stage>& reader) {
  std::vector<Stage> stages;
  Stage stage;
  while (reader.Read(&stage)) stages.push_back(stage);
  return stages;
}

TEST(WeightSensitivityTest, OneMessageForEachStage) {
  Copies copies;
  TestServer server({.copies = copies.Maker()});
  server.AddFakeModel();
  grpc::ClientContext context;
  context.AddMetadata("x-request-id", "r1");
  v1::MeasureWeightSensitivityRequest question = FakeQuestion();
  question.set_seed(7);
  const auto reader =
      server.saliency().MeasureWeightSensitivity(&context, question);
  const std::vector<Stage> stages = ReadAll(*reader);
  const grpc::Status status = reader->Finish();
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(copies.seed(), 7U);
  std::vector<std::string> modules;
  for (size_t i = 0; i < stages.size(); ++i) {
    EXPECT_EQ(stages[i].summary().model().name(), "fake");
    EXPECT_EQ(stages[i].summary().model().version(), 1);
    EXPECT_EQ(stages[i].stage(), static_cast<int>(i));
    EXPECT_EQ(stages[i].num_stages(), 5);
    ASSERT_EQ(stages[i].maps_size(), 1);
    EXPECT_EQ(stages[i].maps(0).correlation(), 1.0);
    EXPECT_EQ(stages[i].maps(0).absolute_correlation(), 1.0);
    EXPECT_EQ(stages[i].maps(0).map().explained_class().label(), "class9");
    EXPECT_EQ(stages[i].maps(0).map().encoding(), v1::MAP_ENCODING_NONE)
        << "the default here";
    EXPECT_EQ(stages[i].summary().images_size(), 1);
    modules.push_back(stages[i].module());
  }
  EXPECT_THAT(modules, ElementsAre("", "d", "c", "b", "a"));
  EXPECT_EQ(server.Metric("saliency_requests_total",
                          {{"rpc", "MeasureWeightSensitivity"},
                           {"model", "fake"},
                           {"code", "OK"}}),
            1);
  EXPECT_TRUE(server.tracker().AwaitEmpty(absl::Now() + kPatience));
}

TEST(WeightSensitivityTest, WhatIsWrongIsSaidAsByOtherCalls) {
  Copies copies;
  TestServer server({.copies = copies.Maker()});
  server.AddFakeModel();
  const auto ask = [&](auto spoil) {
    v1::MeasureWeightSensitivityRequest question = FakeQuestion();
    spoil(question);
    grpc::ClientContext context;
    const auto reader =
        server.saliency().MeasureWeightSensitivity(&context, question);
    EXPECT_TRUE(ReadAll(*reader).empty());
    return reader->Finish();
  };
  grpc::Status status =
      ask([](auto& q) { q.mutable_model()->set_name("fke"); });
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  status = ask([](auto& q) { q.add_stages("e"); });
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(status.error_message(), HasSubstr("nearest: "));
  status = ask([](auto& q) { q.mutable_step()->set_epsilon(2); });
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("epsilon"));
  status = ask([](auto& q) {
    for (int i = 0; i < 513; ++i) q.add_stages("a");
  });
  EXPECT_EQ(status.error_message(), "stages: 513 of at most 512");
  status = ask([](auto& q) { q.clear_input(); });
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST(WeightSensitivityTest, ItsMessagesCountWithAllAnswers) {
  Copies copies;
  TestServer server(
      {.limits = {.queue_bytes = 2000}, .copies = copies.Maker()});
  server.AddFakeModel();
  grpc::ClientContext context;
  const auto reader =
      server.saliency().MeasureWeightSensitivity(&context, FakeQuestion());
  EXPECT_TRUE(ReadAll(*reader).empty());
  const grpc::Status status = reader->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("(limit 2000)"));
}

// A call whose copy waits at a gate in its first pass.
struct HeldStudy {
  HeldStudy() {
    server.AddFakeModel();
    reader =
        server.saliency().MeasureWeightSensitivity(&context, FakeQuestion());
    gate.AwaitArrivals(1);
  }

  Gate gate;
  Copies copies{[this](const std::vector<int>&) {
    gate.Pass();
    return absl::OkStatus();
  }};
  TestServer server{{.copies = copies.Maker()}};
  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientReader<Stage>> reader;
};

TEST(WeightSensitivityTest, OnlySoManyCopiesAreMadeAtATime) {
  HeldStudy running;
  {
    grpc::ClientContext context;
    const auto refused = running.server.saliency().MeasureWeightSensitivity(
        &context, FakeQuestion());
    const grpc::Status status = refused->Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
    EXPECT_EQ(status.error_message(),
              "1 calls that copy a model are running (limit 1)");
    EXPECT_TRUE(
        context.GetServerTrailingMetadata().contains("grpc-retry-pushback-ms"));
    EXPECT_EQ(running.server.Metric("saliency_refused_total",
                                    {{"reason", "studies_full"}}),
              1);
  }
  {
    // Other calls do not wait for it.
    grpc::ClientContext context;
    v1::ComputeSaliencyResponse response;
    EXPECT_TRUE(running.server.saliency()
                    .ComputeSaliency(&context, FakeRequest(), &response)
                    .ok());
  }
  running.gate.Open();
  EXPECT_EQ(ReadAll(*running.reader).size(), 5U);
  EXPECT_TRUE(running.reader->Finish().ok());
  // The place is free again.
  grpc::ClientContext context;
  const auto next = running.server.saliency().MeasureWeightSensitivity(
      &context, FakeQuestion());
  EXPECT_EQ(ReadAll(*next).size(), 5U);
  EXPECT_TRUE(next->Finish().ok());
}

TEST(WeightSensitivityTest, AnExceptionIsOursAndEndsNothingElse) {
  std::atomic<bool> broken = true;
  Copies copies([&](const std::vector<int>&) -> absl::Status {
    if (broken) throw std::runtime_error("at address 0x1234");
    return absl::OkStatus();
  });
  TestServer server({.copies = copies.Maker()});
  server.AddFakeModel();
  {
    grpc::ClientContext context;
    const auto reader =
        server.saliency().MeasureWeightSensitivity(&context, FakeQuestion());
    EXPECT_TRUE(ReadAll(*reader).empty());
    const grpc::Status status = reader->Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INTERNAL);
    EXPECT_THAT(status.error_message(), Not(HasSubstr("0x1234")));
  }
  broken = false;
  grpc::ClientContext context;
  const auto next =
      server.saliency().MeasureWeightSensitivity(&context, FakeQuestion());
  EXPECT_EQ(ReadAll(*next).size(), 5U);
  EXPECT_TRUE(next->Finish().ok());
}

TEST(WeightSensitivityTest, ACallerThatLeavesEndsIt) {
  HeldStudy held;
  held.context.TryCancel();
  EXPECT_EQ(held.reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  // The server hears of it some time after the client has.
  while (held.server.Metric("saliency_requests_total") == 0) {
    held.gate.Open();
    std::this_thread::yield();
  }
  EXPECT_TRUE(held.server.tracker().AwaitEmpty(absl::Now() + kPatience));
}

TEST(WeightSensitivityTest, DrainingEndsItAfterTheStageThatIsUnderWay) {
  HeldStudy held;
  std::thread drainer([&] {
    Drain({.delay = absl::ZeroDuration(), .timeout = kPatience},
          held.server.clock(), held.server.registry(), held.server.tracker(),
          [&](absl::Time deadline) {
            return held.server.engine().Drain(deadline);
          });
  });
  while (held.server.tracker().CheckOpen().ok()) std::this_thread::yield();
  held.gate.Open();
  EXPECT_LT(ReadAll(*held.reader).size(), 5U);
  const grpc::Status status = held.reader->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(status.error_message(), "the server is shutting down");
  drainer.join();
  EXPECT_LT(held.copies.passes(), 5U);
}

TEST(WeightSensitivityTest, AStrangerMakesNoCopies) {
  Copies copies;
  TestServer server({.copies = copies.Maker()});
  server.AddFakeModel();
  server.tracker().Close();
  grpc::ClientContext context;
  const auto reader =
      server.saliency().MeasureWeightSensitivity(&context, FakeQuestion());
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(copies.passes(), 0U);
  EXPECT_TRUE(server.tracker().AwaitEmpty(absl::Now() + kPatience));
}

}  // namespace
}  // namespace saliency::weight_sensitivity_test
