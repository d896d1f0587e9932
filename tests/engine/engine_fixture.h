// What the tests of the engine share: one over a fake model, a worker that can
// be held, and the answers.

#ifndef SALIENCY_TESTS_ENGINE_ENGINE_FIXTURE_H_
#define SALIENCY_TESTS_ENGINE_ENGINE_FIXTURE_H_

#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/engine/engine.h"
#include "gtest/gtest.h"
#include "tests/support/fakes.h"

namespace saliency {

class EngineTest : public testing::Test {
 protected:
  // Serves FakeModel() by one fake explainer.
  std::unique_ptr<Engine> Serve(FakeExplainer::Hook hook = nullptr,
                                const Engine::Options& options = {},
                                absl::Duration max_delay = {}) {
    auto engine = std::make_unique<Engine>(options, clock_, observer_);
    ModelMetadata model = FakeModel();
    model.config.batching.max_delay = max_delay;
    AddFake(*engine, std::move(model), std::move(hook));
    return engine;
  }

  void AddFake(Engine& engine, ModelMetadata model,
               FakeExplainer::Hook hook = nullptr) {
    std::vector<std::unique_ptr<Explainer>> explainers;
    explainers.push_back(
        std::make_unique<FakeExplainer>(log_, std::move(hook)));
    ServeModel(engine, std::move(model), std::move(explainers), nullptr);
  }

  // A hook that holds the worker at its first batch until the gate opens.
  FakeExplainer::Hook HoldAtGate() {
    return [this](const std::vector<int>& ids) {
      gate_.Pass();
      return absl::OkStatus();
    };
  }

  absl::StatusCode CodeOf(int index) {
    return answers_.of(index).status().code();
  }

  FakeClock clock_;
  RecordingObserver observer_;
  ExplainerLog log_;
  Gate gate_;
  Answers answers_{20};
};

}  // namespace saliency

#endif  // SALIENCY_TESTS_ENGINE_ENGINE_FIXTURE_H_
