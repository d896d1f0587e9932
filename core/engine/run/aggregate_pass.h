// From what a pass recorded to maps and spatial means on the CPU: one
// aggregation per group of rows, one copy off the device for all of them.
// Thread-compatible: called on the replica's thread.

#ifndef SALIENCY_CORE_ENGINE_RUN_AGGREGATE_PASS_H_
#define SALIENCY_CORE_ENGINE_RUN_AGGREGATE_PASS_H_

#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "core/engine/run/pass_chunk.h"
#include "core/model/probe.h"
#include "core/model/probed_model.h"

namespace saliency {

// float32 on the CPU, views of one buffer.
struct AggregatedPass {
  // Of each group's rows in order, [b,H,W]; or why its layer could not be
  // recorded.
  std::vector<absl::StatusOr<at::Tensor>> maps;
  std::vector<at::Tensor> pooled;  // of each pool's rows in order, [b,K]
};

// The records are let go as they are used up.
// Errors: that of a layer that is pooled and could not be recorded.
// REQUIRES: the model has the layers and, where asked for, the head.
absl::StatusOr<AggregatedPass> AggregatePass(const PassChunk& chunk,
                                             ProbeResult&& result,
                                             const ProbedModel& model);

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_RUN_AGGREGATE_PASS_H_
