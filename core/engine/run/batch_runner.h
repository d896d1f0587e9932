// What a worker does with a batch: one explanation in shared passes, failures
// answered on the spot, jobs whose last slice this was handed on to be
// rendered. Thread-compatible: called on a replica's worker.

#ifndef SALIENCY_CORE_ENGINE_RUN_BATCH_RUNNER_H_
#define SALIENCY_CORE_ENGINE_RUN_BATCH_RUNNER_H_

#include "core/base/clock.h"
#include "core/engine/engine_observer.h"
#include "core/engine/explainer.h"
#include "core/engine/model_metadata.h"
#include "core/engine/run/batcher.h"

namespace saliency {

// Runs a batch of `batcher` and answers every job that failed.  When the device
// is lost, all that waits for the model is answered too and its queue is
// closed. Returns the jobs that have their whole PassAnswer in their work().
Batcher::Jobs RunBatch(const ModelMetadata& model, Batcher& batcher,
                       Explainer& explainer, const Batcher::Batch& batch,
                       Clock& clock, EngineObserver& observer);

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_RUN_BATCH_RUNNER_H_
