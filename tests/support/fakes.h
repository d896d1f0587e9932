// Hand-made stand-ins for the engine's two seams, time and the model, and what
// a test needs to hold a worker still and to collect answers.
// Thread-safe.

#ifndef SALIENCY_TESTS_SUPPORT_FAKES_H_
#define SALIENCY_TESTS_SUPPORT_FAKES_H_

#include <atomic>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "core/base/status.h"
#include "core/engine/engine.h"
#include "core/engine/engine_observer.h"
#include "core/engine/explainer.h"
#include "core/engine/job.h"
#include "core/engine/model_metadata.h"
#include "core/engine/model_table.h"

namespace saliency {

// Time that moves only by Advance.
class FakeClock final : public Clock {
 public:
  absl::Time Now() override;
  bool AwaitWithDeadline(Mutex* mu, const absl::Condition& condition,
                         absl::Time deadline) override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) ABSL_LOCKS_EXCLUDED(mu_);

  void Advance(absl::Duration step) ABSL_LOCKS_EXCLUDED(mu_);
  // Waits until `count` threads wait for a time that is not for ever.
  void AwaitTimedWaiters(int count) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  std::atomic<int64_t> nanoseconds_ = 0;

  Mutex mu_;
  std::multiset<Mutex*> waiters_ ABSL_GUARDED_BY(mu_);
  int timed_waiters_ ABSL_GUARDED_BY(mu_) = 0;
};

// Holds threads until it is opened.
class Gate {
 public:
  // Called by the thread that is to be held.
  void Pass() ABSL_LOCKS_EXCLUDED(mu_);
  void Open() ABSL_LOCKS_EXCLUDED(mu_);
  // Waits until `count` threads have come, whether held or let through.
  void AwaitArrivals(int count) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  Mutex mu_;
  bool open_ ABSL_GUARDED_BY(mu_) = false;
  int arrivals_ ABSL_GUARDED_BY(mu_) = 0;
};

// What fake explainers did; outlives them.
struct ExplainerLog {
  Mutex mu;
  // The ids (see FakeJob) of each batch that was tried, in order.
  std::vector<std::vector<int>> batches ABSL_GUARDED_BY(mu);

  std::vector<std::vector<int>> Batches() ABSL_LOCKS_EXCLUDED(mu);
  // Every id that was ever in a batch.
  std::set<int> Ids() ABSL_LOCKS_EXCLUDED(mu);
};

// Answers by arithmetic: the map of slot s of a job with id i is the 2 x 2 map
// i + s + {0, 1, 2, 3}; logit c of image p is 10 p + c.  A meta step adds 100
// to a row's logits; the maps of a second variant are i + s + {3, 2, 1, 0}.
// The features of a layer of FakeModel are the means of the image's three
// planes, again and again.
class FakeExplainer final : public Explainer {
 public:
  // Runs before each batch with its ids; may fail, throw or block.
  using Hook = std::function<absl::Status(const std::vector<int>& ids)>;

  explicit FakeExplainer(ExplainerLog& log, Hook hook = nullptr)
      : log_(log), hook_(std::move(hook)) {}

  absl::StatusOr<PassAnswers> Explain(
      absl::Span<const PassItem* const> items) override;

 private:
  ExplainerLog& log_;
  const Hook hook_;
};

// A model "fake" of ten classes on 8 x 8 images: "input" [3,8,8], "conv"
// [4,4,4] (a convolution), "norm" [4,4,4] (a batch norm), "last" [8,2,2] (what
// the linear head pools), "pool" [8].  Labels "class0" to "class9".
ModelMetadata FakeModel();

// Serves a model at once; nothing else is known of its version.
void ServeModel(Engine& engine, std::shared_ptr<LoadedModel> model);
void ServeModel(Engine& engine, const ModelMetadata& metadata,
                std::vector<std::unique_ptr<Explainer>> explainers,
                const std::shared_ptr<void>& keep_alive);

// What a version that nobody asks is published with.
std::shared_ptr<ServedModel> NoWorkers();

// A job for FakeModel: norm_grad at "conv" of a [3,height,width] tensor that is
// filled with `id`, raw maps at layer resolution.
Job FakeJob(int id, int64_t height = 8, int64_t width = 8);

// Collects the answers of jobs numbered from 0.
class Answers {
 public:
  explicit Answers(int jobs);

  // The callback of job `index`; outlived by this.
  JobDone For(int index);
  // Waits until every job was answered.
  void AwaitAll() ABSL_LOCKS_EXCLUDED(mu_);
  // Waits until job `index` was answered.
  void Await(int index) ABSL_LOCKS_EXCLUDED(mu_);

  int total() const ABSL_LOCKS_EXCLUDED(mu_);  // repeats included
  bool has(int index) const ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<Explanation> of(int index) const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  mutable Mutex mu_;
  int missing_ ABSL_GUARDED_BY(mu_);
  std::vector<char> answered_ ABSL_GUARDED_BY(mu_);  // 1: at least once
  std::vector<std::vector<absl::StatusOr<Explanation>>> answers_
      ABSL_GUARDED_BY(mu_);
};

// Remembers what the engine told.
class RecordingObserver final : public EngineObserver {
 public:
  void OnBatch(absl::string_view model, int requests, int rows) override;
  void OnExpired(absl::string_view stage) override;
  void OnCancelled(absl::string_view stage) override;
  void OnOutOfMemory(absl::string_view outcome) override;
  void OnDeviceLost(absl::string_view device) override;
  void OnFault(absl::string_view request_id, absl::string_view detail) override;

  // One line per call, as "batch fake 16 16", "expired queue".
  std::vector<std::string> lines() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void Note(std::string line) ABSL_LOCKS_EXCLUDED(mu_);

  mutable Mutex mu_;
  std::vector<std::string> lines_ ABSL_GUARDED_BY(mu_);
};

}  // namespace saliency

#endif  // SALIENCY_TESTS_SUPPORT_FAKES_H_
