#include "core/engine/engine.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/deadline.h"
#include "core/base/status.h"
#include "core/base/thread_pool.h"
#include "core/engine/active_job.h"
#include "core/engine/finish/finish.h"
#include "core/engine/finish/precomputed_maps.h"
#include "core/engine/finish/render_turns.h"
#include "core/engine/run/batch_runner.h"
#include "core/engine/run/pass_explainer.h"
#include "core/engine/run/tensor_threads.h"
#include "core/engine/run/worker_threads.h"
#include "core/engine/scratch_gate.h"

namespace saliency {
namespace {

BatchLimits LimitsOf(const ModelMetadata& metadata) {
  // Rows that depend on their neighbours must not meet a stranger's.
  if (!metadata.self_check.rows_independent) {
    return {.max_rows = 1, .max_requests = 1};
  }
  BatchLimits limits = {.max_rows = metadata.config.batching.max_rows,
                        .max_requests = metadata.config.batching.max_rows,
                        .max_delay = metadata.config.batching.max_delay};
  // On the reference path rows gain nothing by each other's company.
  if (metadata.meta_path == MetaPath::kReference) limits.max_stepped_rows = 1;
  if (!metadata.layers.empty()) {
    const std::vector<int64_t>& input = metadata.layers.front().shape;
    limits.input_pixels = input[1] * input[2];
  }
  return limits;
}

// What a worker owns; the explainer goes before what it refers to.
struct Replica {
  std::shared_ptr<Batcher> batcher;
  std::shared_ptr<const ModelMetadata> model;
  std::shared_ptr<void> keep_alive;
  std::unique_ptr<Explainer> explainer;
};

// Answers a job whose caller has gone, by what made it go.
void AnswerLeaver(ActiveJob& job, absl::Time arrived, Clock& clock) {
  if (LeftByDeadline(arrived, clock.Now(), job.deadline())) {
    job.Expire();
  } else {
    job.Cancel();
  }
}

}  // namespace

struct Engine::Impl {
  Impl(const Options& options, Clock& clock_in, EngineObserver& observer_in)
      : limits(options.limits),
        intra_op_threads(at::get_num_threads()),
        clock(clock_in),
        observer(observer_in),
        models(options.on_models_change),
        admission(std::make_shared<Admission>(options.limits.queue_items,
                                              options.limits.queue_bytes,
                                              options.limits.caller_share)),
        scratch(options.limits.scratch_bytes),
        pool(std::make_unique<ThreadPool>(std::max(1, options.cpu_threads))) {}

  // A null `model` is found by the job's names.
  void Submit(Job job, JobDone done, const ModelTable::Entry* model);
  absl::Status Start(const std::shared_ptr<ActiveJob>& job,
                     const ModelTable::Entry* model);
  absl::Status StartGivenMaps(const std::shared_ptr<ActiveJob>& job);
  absl::Status Admit(ActiveJob& job);
  void Decode(const std::shared_ptr<ActiveJob>& job, const ServedModel& model);
  absl::Status Prepare(ActiveJob& job);
  void Work(const Replica& replica);

  const EngineLimits limits;
  const int intra_op_threads;  // of a pass, all replicas of a model together
  Clock& clock;
  EngineObserver& observer;

  ModelTable models;
  WorkInHand in_hand{clock};
  const std::shared_ptr<Admission> admission;
  ScratchGate scratch;
  WorkerThreads workers;
  std::unique_ptr<ThreadPool> pool;
  RenderTurns render_turns{*pool, scratch, in_hand, clock, observer};
};

Engine::Engine(const Options& options, Clock& clock, EngineObserver& observer)
    : impl_(std::make_unique<Impl>(options, clock, observer)) {}

Engine::~Engine() {
  Drain(impl_->clock.Now());
  // Workers first: they still hand on what they were running.
  impl_->workers.JoinAll();
  impl_->pool.reset();
}

ModelTable& Engine::models() { return impl_->models; }

std::shared_ptr<ServedModel> Engine::StartModel(
    const ModelMetadata& metadata,
    std::vector<std::unique_ptr<Explainer>> explainers,
    const std::shared_ptr<void>& keep_alive) {
  const auto replicas = static_cast<int>(explainers.size());
  const int threads = std::max(1, impl_->intra_op_threads / replicas);
  const auto batcher =
      std::make_shared<Batcher>(LimitsOf(metadata), impl_->clock);
  const auto model = std::make_shared<const ModelMetadata>(metadata);
  for (std::unique_ptr<Explainer>& explainer : explainers) {
    auto replica = std::make_shared<Replica>();
    *replica = {.batcher = batcher,
                .model = model,
                .keep_alive = keep_alive,
                .explainer = std::move(explainer)};
    impl_->workers.Start(
        [impl = impl_.get(), threads, replica = std::move(replica)] {
          UseTensorThreads(threads);
          impl->Work(*replica);
        });
  }
  return std::make_shared<ServedModel>(batcher);
}

std::shared_ptr<ServedModel> Engine::StartModel(
    std::shared_ptr<LoadedModel> model) {
  const ModelMetadata metadata = MetadataOf(*model);
  const int64_t max_rows = metadata.self_check.rows_independent
                               ? metadata.config.batching.max_rows
                               : 1;
  std::vector<std::unique_ptr<Explainer>> explainers;
  for (const std::unique_ptr<ProbedModel>& replica : model->replicas) {
    explainers.push_back(std::make_unique<PassExplainer>(
        *replica, PassExplainer::Options{.max_rows = max_rows}));
  }
  return StartModel(metadata, std::move(explainers), std::move(model));
}

void Engine::Submit(Job job, JobDone done) {
  impl_->Submit(std::move(job), std::move(done), nullptr);
}

void Engine::SubmitTo(const ModelTable::Entry& model, Job job, JobDone done) {
  impl_->Submit(std::move(job), std::move(done), &model);
}

absl::StatusOr<std::shared_ptr<void>> Engine::HoldBytes(
    const std::string& caller, int64_t bytes) {
  const std::shared_ptr<ByteBudget>& budget = impl_->admission->bytes();
  RETURN_IF_ERROR(budget->Take(caller, bytes));
  return std::make_shared<ByteHold>(budget, caller, bytes);
}

bool Engine::Drain(absl::Time deadline) {
  impl_->admission->Close();
  for (const auto& model : impl_->models.Served()) model->batcher()->Close();
  if (impl_->admission->AwaitEmpty(impl_->clock, deadline)) return true;
  for (const auto& job : impl_->admission->Outstanding()) {
    job->Answer(absl::UnavailableError("the server is shutting down"));
  }
  // Callbacks that other threads are in the middle of.
  impl_->admission->AwaitEmpty(impl_->clock, absl::InfiniteFuture());
  return false;
}

EngineLoad Engine::load() const { return impl_->admission->load(); }

std::optional<IdleWork> Engine::LongestIdle() {
  return impl_->in_hand.LongestIdle();
}

WorkInHand& Engine::in_hand() { return impl_->in_hand; }

void Engine::Impl::Submit(Job job, JobDone done,
                          const ModelTable::Entry* model) {
  const auto active = std::make_shared<ActiveJob>(
      std::move(job), std::move(done), admission, observer);
  const absl::Status status = Start(active, model);
  if (!status.ok()) active->Answer(status);
}

// Answers what cannot start; the rest goes to the pool.
absl::Status Engine::Impl::Start(const std::shared_ptr<ActiveJob>& job,
                                 const ModelTable::Entry* model) {
  RETURN_IF_ERROR(admission->CheckOpen());
  if (job->ExpireAt(clock.Now())) return absl::OkStatus();
  const absl::Time arrived = clock.Now();
  JobWork& work = job->work();
  const std::shared_ptr<CancelToken> cancel = work.job.cancel;
  if (cancel != nullptr && cancel->cancelled()) {
    AnswerLeaver(*job, arrived, clock);
    return absl::OkStatus();
  }
  if (HoldsGivenMaps(work.job)) return StartGivenMaps(job);
  ModelTable::Entry found;
  if (model == nullptr) {
    ASSIGN_OR_RETURN(found, models.Find(work.job.model, work.job.version));
    model = &found;
  }
  work.metadata = model->version->metadata;
  const std::shared_ptr<Batcher>& batcher = model->served->batcher();
  RETURN_IF_ERROR(batcher->Reserve());
  const absl::Status admitted = Admit(*job);
  if (!admitted.ok()) {
    batcher->Release();
    return admitted;
  }
  job->Enter(JobStage::kDecode);
  if (cancel != nullptr) {
    cancel->SetListener([weak_job = std::weak_ptr<ActiveJob>(job),
                         weak_queue = std::weak_ptr<Batcher>(batcher), arrived,
                         &clock = clock] {
      const std::shared_ptr<ActiveJob> cancelled = weak_job.lock();
      if (cancelled == nullptr) return;
      if (const auto queue = weak_queue.lock()) queue->Remove(cancelled.get());
      AnswerLeaver(*cancelled, arrived, clock);
    });
  }
  pool->Schedule([this, job, served = model->served] { Decode(job, *served); },
                 job->caller());
  return absl::OkStatus();
}

// What can be known without looking into the input is, before it waits.
absl::Status Engine::Impl::Admit(ActiveJob& job) {
  JobWork& work = job.work();
  ASSIGN_OR_RETURN(work.plan, PlanJob(work.job, *work.metadata, limits));
  work.cost = work.plan.cost;
  return job.Admit(work.cost);
}

// Maps need no model: the pool does all there is to do.
absl::Status Engine::Impl::StartGivenMaps(
    const std::shared_ptr<ActiveJob>& job) {
  JobWork& work = job->work();
  ASSIGN_OR_RETURN(work.cost, CostOfGivenMaps(work.job, limits));
  RETURN_IF_ERROR(job->Admit(work.cost));
  job->Enter(JobStage::kQueue);
  if (const auto& cancel = job->work().job.cancel; cancel != nullptr) {
    cancel->SetListener([weak_job = std::weak_ptr<ActiveJob>(job),
                         arrived = clock.Now(), &clock = clock] {
      if (const auto cancelled = weak_job.lock()) {
        AnswerLeaver(*cancelled, arrived, clock);
      }
    });
  }
  work.rendering = std::make_unique<PrecomputedMapsRendering>(work.job, limits);
  render_turns.Schedule(job);
  return absl::OkStatus();
}

void Engine::Impl::Decode(const std::shared_ptr<ActiveJob>& job,
                          const ServedModel& model) {
  ComputeAlone();
  const WorkInHand::Piece piece = in_hand.Begin("decoding an image");
  absl::Status status = absl::CancelledError("answered already");
  if (!job->answered() && !job->ExpireAt(clock.Now())) {
    status = Prepare(*job);
  }
  if (!status.ok()) {
    model.batcher()->Release();
    job->Answer(status);  // no effect on one that was answered
    return;
  }
  job->Enter(JobStage::kQueue);
  const absl::Status pushed = model.batcher()->Push(job);
  if (!pushed.ok()) job->Answer(pushed);
}

absl::Status Engine::Impl::Prepare(ActiveJob& job) {
  const absl::Time start = clock.Now();
  JobWork& work = job.work();
  RETURN_IF_ERROR(CatchAsStatus(
      "preparing the input failed",
      [&]() -> absl::Status {
        const ScratchGate::Pass pass(scratch, work.cost.decode_scratch_bytes);
        ASSIGN_OR_RETURN(
            work.prepared,
            PrepareJob(work.job, std::move(work.plan), *work.metadata, limits));
        return absl::OkStatus();
      },
      [&](absl::string_view detail) {
        observer.OnFault(job.request_id(), detail);
      }));
  work.job.input = JobInput();  // its bytes are no longer needed
  work.times.decode = clock.Now() - start;
  observer.OnStage("decode", work.times.decode);
  return absl::OkStatus();
}

void Engine::Impl::Work(const Replica& replica) {
  const std::string what =
      absl::StrCat("a pass of model \"", replica.model->name, "\" version ",
                   replica.model->version);
  Explainer& explainer = *replica.explainer;
  const auto explain = [&](const Batcher::Batch& batch) {
    const WorkInHand::Piece piece =
        in_hand.Begin(what, [&] { return explainer.progress(); });
    return RunBatch(*replica.model, *replica.batcher, explainer, batch, clock,
                    observer);
  };
  while (true) {
    const Batcher::Batch batch = replica.batcher->Pull();
    if (batch.empty()) return;
    for (const std::shared_ptr<ActiveJob>& job : explain(batch)) {
      JobWork& work = job->work();
      work.passes = work.progress.Take();
      work.rendering = std::make_unique<JobRendering>(
          work.prepared, work.passes.answer, work.metadata,
          FinishOptions{.output = work.job.output,
                        .top_k = work.job.top_k,
                        .plain_maps = work.job.plain_maps,
                        .correlate = work.job.correlate});
      // What waits to be rendered is bounded with all that waits.
      job->EnterQueue();
      render_turns.Schedule(job);
    }
  }
}

}  // namespace saliency
