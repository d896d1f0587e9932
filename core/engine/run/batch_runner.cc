#include "core/engine/run/batch_runner.h"

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/engine/run/bisect.h"

namespace saliency {
namespace {

bool IsFirst(const RowSlice& slice) {
  return slice.first_image == 0 && slice.first_target == 0 &&
         slice.samples == 0;
}

int64_t RowsOf(const Batcher::Batch& batch) {
  int64_t rows = 0;
  for (const BatchSlice& part : batch) rows += part.slice.rows();
  return rows;
}

// `items` are the batch's slices.
void ReportBatch(const ModelMetadata& metadata, const Batcher::Batch& batch,
                 const std::vector<PassItem>& items, Clock& clock,
                 EngineObserver& observer) {
  const absl::Time now = clock.Now();
  std::map<std::string, int64_t> rows_by_method;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const auto& [job, slice] = batch[i];
    JobWork& work = job->work();
    if (IsFirst(slice)) {
      job->Enter(JobStage::kPass);
      work.times.queue = now - work.queued_at;
      observer.OnQueued(metadata.name, work.times.queue);
    }
    for (const Variant& variant : items[i].variants) {
      for (const PassAttribution& wanted : variant.attributions) {
        rows_by_method[wanted.attribution.name()] += slice.rows();
      }
    }
  }
  observer.OnBatch(metadata.name, static_cast<int>(batch.size()),
                   static_cast<int>(RowsOf(batch)));
  for (const auto& [method, count] : rows_by_method) {
    observer.OnRows(metadata.name, method, count);
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

void LoseDevice(const ModelMetadata& model, Batcher& batcher,
                const absl::Status& why, EngineObserver& observer) {
  observer.OnDeviceLost(model.device);
  for (const std::shared_ptr<ActiveJob>& job : batcher.Fail(why)) {
    job->Answer(why);
  }
}

}  // namespace

Batcher::Jobs RunBatch(const ModelMetadata& model, Batcher& batcher,
                       Explainer& explainer, const Batcher::Batch& batch,
                       Clock& clock, EngineObserver& observer) {
  std::vector<PassItem> items;
  items.reserve(batch.size());
  for (const auto& [job, slice] : batch) {
    JobWork& work = job->work();
    items.push_back(
        slice.samples > 0
            ? ItemOf(work.prepared.item, slice, work.progress.Classes(),
                     work.progress.MaskActivation(work.prepared.item, slice))
            : ItemOf(work.prepared.item, slice));
  }
  ReportBatch(model, batch, items, clock, observer);
  std::vector<const PassItem*> pointers;
  pointers.reserve(items.size());
  for (const PassItem& item : items) pointers.push_back(&item);
  BisectedBatch outcome = ExplainBisecting(explainer, pointers);
  ReportOutcome(outcome, observer);
  const SlicePasses passes = {.requests = static_cast<int>(batch.size()),
                              .rows = static_cast<int>(RowsOf(batch)),
                              .forward = outcome.forward_time,
                              .backward = outcome.backward_time,
                              .aggregate = outcome.aggregate_time};
  Batcher::Jobs explained;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const auto& [job, slice] = batch[i];
    BisectedItem& item = outcome.items[i];
    if (!item.detail.empty()) observer.OnFault(job->request_id(), item.detail);
    if (!item.answer.ok()) {
      job->Answer(item.answer.status());
      continue;
    }
    JobWork& work = job->work();
    switch (work.progress.Add(*std::move(item.answer), work.prepared.item,
                              slice, passes)) {
      case PassProgress::Next::kMoreSlices:
        if (slice.samples > 0) {
          job->Tell(work.progress.Samples(work.prepared.item), clock.Now());
        }
        break;
      case PassProgress::Next::kSamples:
        if (const absl::Status pushed = batcher.PushSamples(job);
            !pushed.ok()) {
          job->Answer(pushed);
        }
        break;
      case PassProgress::Next::kDone:
        explained.push_back(job);
        break;
    }
  }
  if (!outcome.device_lost.ok()) {
    LoseDevice(model, batcher, outcome.device_lost, observer);
  }
  return explained;
}

}  // namespace saliency
