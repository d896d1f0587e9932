#include "core/engine/batch_runner.h"

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/engine/bisect.h"

namespace saliency {
namespace {

void ReportBatch(const ModelFacts& facts, const Batcher::Batch& batch,
                 Clock& clock, EngineObserver& observer) {
  const absl::Time now = clock.Now();
  int64_t rows = 0;
  std::map<std::string, int64_t> rows_by_method;
  for (const std::shared_ptr<ActiveJob>& job : batch) {
    job->Enter(JobStage::kPass);
    JobWork& work = job->work();
    work.times.queue = now - work.queued_at;
    observer.OnQueued(facts.name, work.times.queue);
    const PassItem& item = work.prepared.item;
    rows += item.rows();
    const int64_t passes = item.plain_too ? 2 : 1;
    for (const PassAttribution& attribution : item.attributions) {
      rows_by_method[attribution.attribution.name()] += item.rows() * passes;
    }
  }
  for (const std::shared_ptr<ActiveJob>& job : batch) {
    job->work().batch_requests = static_cast<int>(batch.size());
    job->work().batch_rows = static_cast<int>(rows);
  }
  observer.OnBatch(facts.name, static_cast<int>(batch.size()),
                   static_cast<int>(rows));
  for (const auto& [method, count] : rows_by_method) {
    observer.OnRows(facts.name, method, count);
  }
}

void ReportOutcome(const BisectedBatch& outcome, EngineObserver& observer) {
  observer.OnStage("forward", outcome.forward_time);
  observer.OnStage("backward", outcome.backward_time);
  observer.OnStage("aggregate", outcome.aggregate_time);
  for (int i = 0; i < outcome.out_of_memory_retries; ++i) {
    observer.OnOutOfMemory("retried");
  }
  for (int i = 0; i < outcome.out_of_memory_refusals; ++i) {
    observer.OnOutOfMemory("refused");
  }
}

void LoseDevice(ServedModel& model, const absl::Status& why,
                EngineObserver& observer) {
  observer.OnDeviceLost(model.facts()->device);
  for (const std::shared_ptr<ActiveJob>& job : model.batcher.Fail(why)) {
    job->Answer(why);
  }
}

}  // namespace

Batcher::Batch RunBatch(ServedModel& model, Explainer& explainer,
                        const Batcher::Batch& batch, Clock& clock,
                        EngineObserver& observer) {
  ReportBatch(*model.facts(), batch, clock, observer);
  std::vector<const PassItem*> items;
  items.reserve(batch.size());
  for (const std::shared_ptr<ActiveJob>& job : batch) {
    items.push_back(&job->work().prepared.item);
  }
  BisectedBatch outcome = ExplainBisecting(explainer, items);
  ReportOutcome(outcome, observer);
  Batcher::Batch explained;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    BisectedItem& item = outcome.items[i];
    if (!item.detail.empty()) {
      observer.OnFault(batch[i]->request_id(), item.detail);
    }
    if (!item.answer.ok()) {
      batch[i]->Answer(item.answer.status());
      continue;
    }
    JobWork& work = batch[i]->work();
    work.answer = *std::move(item.answer);
    work.times.forward = outcome.forward_time;
    work.times.backward = outcome.backward_time;
    work.times.aggregate = outcome.aggregate_time;
    explained.push_back(batch[i]);
  }
  if (!outcome.device_lost.ok()) {
    LoseDevice(model, outcome.device_lost, observer);
  }
  return explained;
}

}  // namespace saliency
