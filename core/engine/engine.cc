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
#include "core/engine/model_table.h"
#include "core/engine/run/batch_runner.h"
#include "core/engine/run/tensor_threads.h"
#include "core/engine/run/worker_threads.h"
#include "core/engine/scratch_gate.h"

namespace saliency {
namespace {

// How long a job is rendered before others have their turn; of a longer piece,
// that piece.
constexpr absl::Duration kRenderTurn = absl::Milliseconds(50);

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

// A pool thread works on one small map: more threads would only wait.
void ComputeAlone() {
  thread_local const bool once = (UseTensorThreads(1), true);
  static_cast<void>(once);
}

}  // namespace

struct Engine::Impl {
  Impl(const Options& options, Clock& clock_in, EngineObserver& observer_in)
      : limits(options.limits),
        intra_op_threads(at::get_num_threads()),
        clock(clock_in),
        observer(observer_in),
        admission(std::make_shared<Admission>(options.limits.queue_items,
                                              options.limits.queue_bytes,
                                              options.limits.caller_share)),
        scratch(options.limits.scratch_bytes),
        pool(std::make_unique<ThreadPool>(std::max(1, options.cpu_threads))) {}

  absl::Status Start(const std::shared_ptr<ActiveJob>& job);
  absl::Status StartGivenMaps(const std::shared_ptr<ActiveJob>& job);
  absl::StatusOr<std::shared_ptr<ServedModel>> Reserve(const Job& job) const;
  absl::Status Admit(ActiveJob& job, const ModelMetadata& metadata);
  void Decode(const std::shared_ptr<ActiveJob>& job,
              const std::shared_ptr<ServedModel>& model);
  absl::Status Prepare(ActiveJob& job, const ModelMetadata& metadata);
  void Work(const std::shared_ptr<ServedModel>& model, Explainer& explainer);
  void ScheduleRendering(const std::shared_ptr<ActiveJob>& job);
  void Render(const std::shared_ptr<ActiveJob>& job);
  absl::Status RenderTurn(ActiveJob& job);
  absl::StatusOr<Explanation> Rendered(ActiveJob& job);
  bool Expired(ActiveJob& job);

  const EngineLimits limits;
  const int intra_op_threads;  // of a pass, all replicas of a model together
  Clock& clock;
  EngineObserver& observer;

  WorkInHand in_hand{clock};
  const std::shared_ptr<Admission> admission;
  ModelTable table;
  ScratchGate scratch;
  WorkerThreads workers;
  std::unique_ptr<ThreadPool> pool;
};

Engine::Engine(const Options& options, Clock& clock, EngineObserver& observer)
    : impl_(std::make_unique<Impl>(options, clock, observer)) {}

Engine::~Engine() {
  Drain(impl_->clock.Now());
  // Workers first: they still hand on what they were running.
  impl_->workers.JoinAll();
  impl_->pool.reset();
}

void Engine::AddModel(ModelMetadata metadata,
                      std::vector<std::unique_ptr<Explainer>> explainers,
                      const std::shared_ptr<void>& keep_alive) {
  const auto replicas = static_cast<int>(explainers.size());
  const int threads = std::max(1, impl_->intra_op_threads / replicas);
  const BatchLimits limits = LimitsOf(metadata);
  auto model =
      std::make_shared<ServedModel>(std::move(metadata), limits, impl_->clock);
  for (std::unique_ptr<Explainer>& explainer : explainers) {
    auto replica = std::make_shared<Replica>();
    replica->keep_alive = keep_alive;
    replica->explainer = std::move(explainer);
    impl_->workers.Start(
        [impl = impl_.get(), model, threads, replica = std::move(replica)] {
          UseTensorThreads(threads);
          impl->Work(model, *replica->explainer);
        });
  }
  if (const auto old = impl_->table.Put(std::move(model))) {
    old->batcher.Close();
  }
}

absl::Status Engine::RemoveModel(absl::string_view name, int64_t version) {
  ASSIGN_OR_RETURN(const std::shared_ptr<ServedModel> model,
                   impl_->table.Remove(name, version));
  model->batcher.Close();
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const ModelMetadata>> Engine::FindModel(
    absl::string_view name, int64_t version) const {
  ASSIGN_OR_RETURN(const std::shared_ptr<ServedModel> model,
                   impl_->table.Find(name, version));
  return model->metadata();
}

absl::Status Engine::SetLayerWeights(absl::string_view name, int64_t version,
                                     LayerWeights weights) {
  ASSIGN_OR_RETURN(const std::shared_ptr<ServedModel> model,
                   impl_->table.Find(name, version));
  model->SetLayerWeights(std::move(weights));
  return absl::OkStatus();
}

void Engine::Submit(Job job, JobDone done) {
  const auto active = std::make_shared<ActiveJob>(
      std::move(job), std::move(done), impl_->admission, impl_->observer);
  const absl::Status status = impl_->Start(active);
  if (!status.ok()) active->Answer(status);
}

absl::StatusOr<std::shared_ptr<void>> Engine::HoldBytes(
    const std::string& caller, int64_t bytes) {
  const std::shared_ptr<ByteBudget>& budget = impl_->admission->bytes();
  RETURN_IF_ERROR(budget->Take(caller, bytes));
  return std::make_shared<ByteHold>(budget, caller, bytes);
}

bool Engine::Drain(absl::Time deadline) {
  impl_->admission->Close();
  for (const auto& model : impl_->table.All()) model->batcher.Close();
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

// Answers what cannot start; the rest goes to the pool.
absl::Status Engine::Impl::Start(const std::shared_ptr<ActiveJob>& job) {
  RETURN_IF_ERROR(admission->CheckOpen());
  if (Expired(*job)) return absl::OkStatus();
  const absl::Time arrived = clock.Now();
  const std::shared_ptr<CancelToken> cancel = job->work().job.cancel;
  if (cancel != nullptr && cancel->cancelled()) {
    AnswerLeaver(*job, arrived, clock);
    return absl::OkStatus();
  }
  if (HoldsGivenMaps(job->work().job)) return StartGivenMaps(job);
  ASSIGN_OR_RETURN(const std::shared_ptr<ServedModel> model,
                   Reserve(job->work().job));
  const absl::Status admitted = Admit(*job, *model->metadata());
  if (!admitted.ok()) {
    model->batcher.Release();
    return admitted;
  }
  job->Enter(JobStage::kDecode);
  if (cancel != nullptr) {
    cancel->SetListener([weak_job = std::weak_ptr<ActiveJob>(job),
                         weak_model = std::weak_ptr<ServedModel>(model),
                         arrived, &clock = clock] {
      const std::shared_ptr<ActiveJob> cancelled = weak_job.lock();
      if (cancelled == nullptr) return;
      if (const auto queue = weak_model.lock()) {
        queue->batcher.Remove(cancelled.get());
      }
      AnswerLeaver(*cancelled, arrived, clock);
    });
  }
  pool->Schedule([this, job, model] { Decode(job, model); }, job->caller());
  return absl::OkStatus();
}

// What can be known without looking into the input is, before it waits.
absl::Status Engine::Impl::Admit(ActiveJob& job,
                                 const ModelMetadata& metadata) {
  JobWork& work = job.work();
  ASSIGN_OR_RETURN(work.plan, PlanJob(work.job, metadata, limits));
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
  ScheduleRendering(job);
  return absl::OkStatus();
}

// A version may be replaced between being found and being told of the job: then
// the new one is asked.
absl::StatusOr<std::shared_ptr<ServedModel>> Engine::Impl::Reserve(
    const Job& job) const {
  std::shared_ptr<ServedModel> last;
  while (true) {
    ASSIGN_OR_RETURN(std::shared_ptr<ServedModel> model,
                     table.Find(job.model, job.version));
    const absl::Status reserved = model->batcher.Reserve();
    if (reserved.ok()) return model;
    if (model == last) return reserved;
    last = std::move(model);
  }
}

void Engine::Impl::Decode(const std::shared_ptr<ActiveJob>& job,
                          const std::shared_ptr<ServedModel>& model) {
  ComputeAlone();
  const WorkInHand::Piece piece = in_hand.Begin("decoding an image");
  absl::Status status = absl::CancelledError("answered already");
  if (!job->answered() && !Expired(*job))
    status = Prepare(*job, *model->metadata());
  if (!status.ok()) {
    model->batcher.Release();
    job->Answer(status);  // no effect on one that was answered
    return;
  }
  job->Enter(JobStage::kQueue);
  const absl::Status pushed = model->batcher.Push(job);
  if (!pushed.ok()) job->Answer(pushed);
}

absl::Status Engine::Impl::Prepare(ActiveJob& job,
                                   const ModelMetadata& metadata) {
  const absl::Time start = clock.Now();
  JobWork& work = job.work();
  RETURN_IF_ERROR(CatchAsStatus(
      "preparing the input failed",
      [&]() -> absl::Status {
        const ScratchGate::Pass pass(scratch, work.cost.decode_scratch_bytes);
        ASSIGN_OR_RETURN(
            work.prepared,
            PrepareJob(work.job, std::move(work.plan), metadata, limits));
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

void Engine::Impl::Work(const std::shared_ptr<ServedModel>& model,
                        Explainer& explainer) {
  const std::string what =
      absl::StrCat("a pass of model \"", model->metadata()->name, "\" version ",
                   model->metadata()->version);
  const auto explain = [&](const Batcher::Batch& batch) {
    const WorkInHand::Piece piece =
        in_hand.Begin(what, [&] { return explainer.progress(); });
    return RunBatch(*model, explainer, batch, clock, observer);
  };
  while (true) {
    const Batcher::Batch batch = model->batcher.Pull();
    if (batch.empty()) return;
    for (const std::shared_ptr<ActiveJob>& job : explain(batch)) {
      JobWork& work = job->work();
      work.passes = work.progress.Take();
      work.rendering = std::make_unique<JobRendering>(
          work.prepared, work.passes.answer, model->metadata(),
          FinishOptions{.output = work.job.output,
                        .top_k = work.job.top_k,
                        .plain_maps = work.job.plain_maps,
                        .correlate = work.job.correlate});
      // What waits to be rendered is bounded with all that waits.
      job->EnterQueue();
      ScheduleRendering(job);
    }
  }
}

void Engine::Impl::ScheduleRendering(const std::shared_ptr<ActiveJob>& job) {
  pool->Schedule([this, job] { Render(job); }, job->caller());
}

// A turn of it; then, unless that was all, others'.
void Engine::Impl::Render(const std::shared_ptr<ActiveJob>& job) {
  ComputeAlone();
  const WorkInHand::Piece piece = in_hand.Begin("rendering maps");
  job->LeaveQueue();
  job->Enter(JobStage::kRender);
  if (job->answered() || Expired(*job)) return;
  const absl::Status status = CatchAsStatus(
      "rendering failed", [&] { return RenderTurn(*job); },
      [&](absl::string_view detail) {
        observer.OnFault(job->request_id(), detail);
      });
  if (!status.ok()) {
    job->Answer(status);
  } else if (job->work().rendering->done()) {
    job->Answer(Rendered(*job));
  } else if (!job->answered() && !Expired(*job)) {
    ScheduleRendering(job);
  }
}

// Between two pieces deadline and cancellation are looked at.
absl::Status Engine::Impl::RenderTurn(ActiveJob& job) {
  JobWork& work = job.work();
  const absl::Time start = clock.Now();
  absl::Time now = start;
  const ScratchGate::Pass pass(scratch, work.cost.render_scratch_bytes);
  do {
    RETURN_IF_ERROR(work.rendering->Step());
    now = clock.Now();
  } while (!work.rendering->done() && now - start < kRenderTurn &&
           now < job.deadline() && !job.answered());
  work.times.render += now - start;
  return absl::OkStatus();
}

absl::StatusOr<Explanation> Engine::Impl::Rendered(ActiveJob& job) {
  JobWork& work = job.work();
  observer.OnStage("render", work.times.render);
  ASSIGN_OR_RETURN(Explanation explanation, work.rendering->Take());
  const SlicePasses& passes = work.passes.passes;
  explanation.batch_requests = passes.requests;
  explanation.batch_rows = std::max(passes.rows, 1);
  explanation.times = work.times;
  explanation.times.forward = passes.forward;
  explanation.times.backward = passes.backward;
  explanation.times.aggregate = passes.aggregate;
  return explanation;
}

bool Engine::Impl::Expired(ActiveJob& job) {
  if (clock.Now() < job.deadline()) return false;
  job.Expire();
  return true;
}

}  // namespace saliency
