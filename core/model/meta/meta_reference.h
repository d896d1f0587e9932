// The meta step by its definition: one row at a time, autograd for the gradient
// of every parameter, and a copy of the parameters at theta'.  Slow and sure:
// what the fast path is held against, and what runs where that one does not
// know an operator.
// Internal to the model room.  Thread-compatible.
//
// Source: Rebuffi, Fong, Ji, Vedaldi, CVPR 2020, arXiv:2004.02866, sec. 4.4.

#ifndef SALIENCY_CORE_MODEL_META_META_REFERENCE_H_
#define SALIENCY_CORE_MODEL_META_META_REFERENCE_H_

#include <cstdint>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/model/probe.h"
#include "core/model/probed_network.h"

namespace saliency {

// The model's own weights in float32: a step is too small for half precision.
// They share memory with the model's when those are float32.
NetworkWeights FloatWeights(const MarkedGraph& marked);

struct ReferenceStep {
  NetworkWeights stepped;  // theta'
  at::Tensor logits;       // [1,C] on the CPU, at theta
  int64_t class_index = 0;
  absl::Duration forward_time, backward_time;
};

// The step of `single`'s one row.  Parameters that the loss does not depend on
// are theta's own.
// Errors: INVALID_ARGUMENT the row's target; FAILED_PRECONDITION the loss
// depends on no parameter.  Throws what LibTorch throws.
// REQUIRES: the row has a meta step; `theta` is FloatWeights'.
absl::StatusOr<ReferenceStep> StepByReference(ProbedNetwork& network,
                                              const NetworkWeights& theta,
                                              const ProbeRequest& single);

// Takes the step of each row of `request` and explains it at theta'.  Memory
// beyond that of a plain pass of one row with gradients: one copy of the
// parameters.  `slots` and `expand_rows` as in ProbedNetwork::Explain.
// Throws what LibTorch throws.
// REQUIRES: every row has a meta step.
absl::StatusOr<ProbeResult> ExplainByReference(ProbedNetwork& network,
                                               const ProbeRequest& request,
                                               const std::vector<int>& slots,
                                               int expand_rows);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_META_META_REFERENCE_H_
