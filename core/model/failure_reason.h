// Why a model cannot be run, in our words: the operator that it stops at, and
// the dtype, device, shape or missing derivative that stops it.
//
// LibTorch's own text says so too, but names files and addresses and speaks of
// C++.  So the model is run once more, with a note taken in front of each of
// its operators; the last note is the culprit's. Internal to the model room.
// Thread-compatible.

#ifndef SALIENCY_CORE_MODEL_FAILURE_REASON_H_
#define SALIENCY_CORE_MODEL_FAILURE_REASON_H_

#include <string>

#include "ATen/core/Tensor.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "core/model/probed_network.h"

namespace saliency {

// Runs forward, forward with gradients, and backward, up to the first that
// fails: `operator conv2d of layer "c1" takes 1 channels and got 3`.  Empty
// when none of them fails.
std::string ReasonOfFailure(const ProbedNetwork& network,
                            const at::Tensor& input);

// `status`, which LibTorch's refusal to run `input` became, with that reason
// where one is found.  Nothing is run on a GPU that was lost.
absl::Status WithReason(const absl::Status& status,
                        const ProbedNetwork& network, const at::Tensor& input);

// What stopped LibTorch from reading a file, out of what it says (`detail`): an
// operator or class that it does not know, a newer format, something else than
// TorchScript.  Empty: none of these.
std::string ReasonOfUnreadableFile(absl::string_view detail);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_FAILURE_REASON_H_
