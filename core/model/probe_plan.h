// One executable form of a network: virtual identities at a set of probes, and
// one place where images are expanded into rows.
// Internal to the model room.  Thread-compatible.

#ifndef SALIENCY_CORE_MODEL_PROBE_PLAN_H_
#define SALIENCY_CORE_MODEL_PROBE_PLAN_H_

#include <functional>
#include <memory>
#include <vector>

#include "ATen/core/ivalue.h"
#include "core/model/graph/marked_graph.h"
#include "core/model/probe_ops.h"

namespace torch::jit {
struct Graph;
}  // namespace torch::jit

namespace saliency {

class ProbePlan {
 public:
  // Changes the graph once its probes stand; may add inputs behind those it
  // has.
  using Rewrite = std::function<void(torch::jit::Graph&)>;

  // `slots[i]` is the mark that becomes slot i; rows are expanded at mark
  // `expand_rows`.
  ProbePlan(const MarkedGraph& marked, const std::vector<int>& slots,
            int expand_rows, const Rewrite& rewrite = nullptr);
  ~ProbePlan();

  // Runs the graph with the plain interpreter (no profiling: its first runs are
  // slow and it specialises on requires_grad).  `more` are the inputs that the
  // rewrite added.  Returns forward()'s result.  Throws what LibTorch throws.
  c10::IValue Run(const at::Tensor& input,
                  const std::vector<c10::IValue>& attributes,
                  const c10::intrusive_ptr<ProbeRecorder>& recorder,
                  const std::vector<c10::IValue>& more = {}) const;

 private:
  struct Executable;
  std::unique_ptr<Executable> executable_;
};

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_PROBE_PLAN_H_
