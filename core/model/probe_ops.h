// The three operators that this room adds to TorchScript graphs, and the
// recorder they write to.
//
//   saliency::mark(Tensor(a) x, int id) -> Tensor(a)
//     names a tensor while a graph is analysed; never runs
//   saliency::virtual_identity(Tensor x, Any recorder, int slot) -> Tensor
//     records x for this run and, where nothing upstream asks for gradients,
//     becomes the start of the autograd graph (the paper, sec. 3.1.2)
//   saliency::expand_rows(Tensor x, Any recorder) -> Tensor
//     repeats images into rows
//
// The recorder is an input of the graph, so that runs share no state.
// Thread-compatible.

#ifndef SALIENCY_CORE_MODEL_PROBE_OPS_H_
#define SALIENCY_CORE_MODEL_PROBE_OPS_H_

#include <vector>

#include "ATen/core/Tensor.h"
#include "ATen/core/ivalue.h"
#include "absl/time/time.h"

namespace saliency {

inline constexpr char kMarkOp[] = "saliency::mark";
inline constexpr char kVirtualIdentityOp[] = "saliency::virtual_identity";
inline constexpr char kExpandRowsOp[] = "saliency::expand_rows";
// The identity, whose gradient lies in memory as the tensor does.
inline constexpr char kOrderGradientOp[] = "saliency::order_gradient";

// One run's memory.
struct ProbeRecorder : torch::CustomClassHolder {
  enum class Mode {
    kDigest,      // remember sizes and digest; the forward is not touched
    kActivation,  // remember the value
    kGradient,    // remember the value as a tensor that asks for gradients
  };
  struct Slot {
    Mode mode = Mode::kGradient;
    bool passed = false;  // the pass has come by; later calls are not recorded
    at::Tensor value;     // undefined when the pass did not get here
    std::vector<int64_t> sizes;
    at::Tensor digest;                 // kDigest: see DigestOfEntries
    bool holds_whole_numbers = false;  // integers or truth values
  };

  std::vector<Slot> slots;
  // Index of each row's image, int64 on the device; undefined: rows are
  // images and expand_rows hands its input on.
  at::Tensor row_image;
  // The graph still overwrites tensors in place: keep copies.
  bool copy_values = false;
  absl::Time expanded_at = absl::InfinitePast();
};

// What tells an entry of the first axis [n] from another without keeping it:
// [n,3] float32, the sum of its numbers, that of their absolute values, and one
// in which each place weighs otherwise.  Undefined for a single number.
at::Tensor DigestOfEntries(const at::Tensor& tensor);

// Makes the operators known to LibTorch.  Idempotent; call before any graph
// that holds them is made.
void RegisterProbeOps();

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_PROBE_OPS_H_
