// One forward's result on its way to the rows' gradients: which class each row
// explains, and the gradient of its score at each probe.
// Thread-compatible: belongs to one pass.

#ifndef SALIENCY_CORE_MODEL_BACKWARD_PASS_H_
#define SALIENCY_CORE_MODEL_BACKWARD_PASS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/status.h"
#include "core/model/probe.h"
#include "core/model/probe_ops.h"

namespace saliency {

using Slots = std::vector<ProbeRecorder::Slot>;

// Which rows go backward together.  With repeated rows that is all of them, and
// batch entry r is row r; on a retained graph each round takes one row of each
// image, and a row's batch entry is its image.
struct BackwardRound {
  std::vector<int64_t> rows;
  std::vector<int64_t> entries;  // of the batch, per row
};

// A tensor's values without its history, dequantised, float32.
at::Tensor ToFloat(const at::Tensor& tensor);

class BackwardPass {
 public:
  // `logits` is [entries,C] of the forward that filled `slots`; `repeated`: an
  // entry is a row, else an image.  The request and the slots outlive this.
  BackwardPass(const ProbeRequest& request, const at::Tensor& logits,
               const Slots& slots, bool repeated);

  // Resolves every row's class from the logits of this very pass.
  // `output_class` is what a single output itself is the score of.
  // Errors: as ResolveTarget; INVALID_ARGUMENT SCALAR_OUTPUT of several
  // outputs.
  absl::Status ResolveClasses(const at::Tensor& logits_cpu, bool one_output,
                              int64_t output_class, ProbeResult& result);

  // Fills the rows' scores.
  // REQUIRES: ResolveClasses went well.
  void Run(ProbeResult& result);

  // [R,K,H,W] float32; undefined where nobody asked for it.
  at::Tensor Gradient(size_t slot) const;
  // By row: whether autograd found no way from its score to the slot.
  const std::vector<bool>& Unreached(size_t slot) const {
    return unreached_[slot];
  }

 private:
  bool IsWhole() const;
  // The scores of a round's rows with what ProbeRow::others adds to them.
  at::Tensor WithOthers(const BackwardRound& round, const at::Tensor& logits,
                        const std::vector<Score>& kinds,
                        const at::Tensor& scores) const;
  void RunRound(const BackwardRound& round, bool is_last, ProbeResult& result);
  std::vector<at::Tensor> Gradients(const at::Tensor& total, bool is_last);

  const ProbeRequest& request_;
  const at::Tensor logits_;  // [entries,C]
  const Slots& slots_;
  const std::vector<BackwardRound> rounds_;
  std::vector<size_t> slot_of_;  // the slots that want gradients
  // By slot: one tensor of all rows, or one [K,H,W] a row.
  std::vector<std::vector<at::Tensor>> by_row_;
  std::vector<std::vector<bool>> unreached_;
};

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_BACKWARD_PASS_H_
