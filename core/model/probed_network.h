// A marked graph on a device, ready to run: finds the cut for a set of probes,
// keeps executable plans, and runs forward and backward for one batch.
// Internal to the model room.  Thread-compatible.

#ifndef SALIENCY_CORE_MODEL_PROBED_NETWORK_H_
#define SALIENCY_CORE_MODEL_PROBED_NETWORK_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "core/attribution/backward_rule.h"
#include "core/model/device.h"
#include "core/model/expand_rows_cost.h"
#include "core/model/graph/marked_graph.h"
#include "core/model/output_meaning.h"
#include "core/model/plan_cache.h"
#include "core/model/probe.h"
#include "core/model/probe_plan.h"
#include "core/model/probed_model.h"
#include "core/model/rules/apply_rule.h"
#include "core/model/rules/ruled_op.h"

namespace saliency {

struct OutputSelector {
  std::optional<int> index;
  std::string key;
  OutputMeaning meaning;
};

// What a pass returned, as the classes have it.
struct ClassLogits {
  at::Tensor values;        // [B,C] float32
  bool one_output = false;  // the model returned [B] or [B,1]
};

// What a marked graph is run with: its attributes, in one precision.
struct NetworkWeights {
  std::vector<c10::IValue> attributes;
  at::ScalarType dtype = at::kFloat;
};

class ProbedNetwork {
 public:
  ProbedNetwork(MarkedGraph marked, c10::Device device, at::ScalarType dtype,
                OutputSelector output, const PixelRange& pixels);

  const MarkedGraph& marked() const { return marked_; }
  // By mark id.
  const std::vector<bool>& cuts() const { return cuts_; }
  const std::vector<int>& positions() const { return positions_; }
  // Why no gradient reaches a mark; empty: one may (gradient_reach.h).
  const std::vector<std::string>& gradient_ends() const {
    return gradient_ends_;
  }
  c10::Device device() const { return device_; }
  at::ScalarType dtype() const { return dtype_; }
  const OutputSelector& output() const { return output_; }
  // After a trial of the output; before anything is explained.
  void SetMeaning(OutputMeaning meaning) {
    output_.meaning = std::move(meaning);
  }

  // Why it cannot be taken back by the rule; empty: it can.
  std::string RuleRefusal(const BackwardRule& rule) const;

  // The marks that are still in the graph.
  std::vector<int> Marks() const;
  // Images where and as the network takes them.
  at::Tensor ToDevice(const at::Tensor& images) const;
  // forward()'s result; without gradients.  Throws what LibTorch throws, as do
  // the next four.
  c10::IValue RunOnce(const at::Tensor& input, const std::vector<int>& slots,
                      const c10::intrusive_ptr<ProbeRecorder>& recorder);

  // What every marked tensor is for this input, by mark id, without keeping it.
  struct Survey {
    at::Tensor logits;                        // [N,C] float32, CPU
    std::vector<std::vector<int64_t>> sizes;  // empty: the pass came not by
    std::vector<at::Tensor> digests;          // see DigestOfEntries; CPU
    std::vector<bool> holds_whole_numbers;    // integers or truth values
  };
  absl::StatusOr<Survey> SurveyMarks(const at::Tensor& input);

  // Which of its outputs is taken for logits; by a plain forward.
  absl::StatusOr<ModelOutput> DescribeTaken(const at::Tensor& input);
  // The chosen output of a plain forward, as the model returns it.
  absl::StatusOr<at::Tensor> Output(const at::Tensor& input);

  // Plain forward: [N,C] float32 on the device.  `repeats` > 1 fans each
  // image out at mark `expand_rows`.
  absl::StatusOr<at::Tensor> Forward(const at::Tensor& input, int expand_rows,
                                     int64_t repeats);

  // The same without fanning out, with other weights than the model's; where
  // these ask for gradients, so does the result.
  absl::StatusOr<at::Tensor> Logits(const at::Tensor& input,
                                    const NetworkWeights& weights);

  // Out of what forward() returned for `images` images (or rows).  Errors: as
  // SelectOutput and PoolLogits.
  absl::StatusOr<ClassLogits> ReadLogits(const c10::IValue& output,
                                         int64_t images) const;

  // By the request's backward rule.  `slots` are mark ids, one for each of the
  // request's probes; `expand_rows` the mark where rows part.  Meta steps are
  // not looked at; they come in by `weights`, the model's own when null.
  absl::StatusOr<ProbeResult> Explain(const ProbeRequest& request,
                                      const std::vector<int>& slots,
                                      int expand_rows,
                                      const NetworkWeights* weights = nullptr);

  // The same by another form of the graph: `run` returns forward()'s result
  // and fills the recorder's slots.
  using RunGraph = std::function<c10::IValue(
      const at::Tensor& input,
      const c10::intrusive_ptr<ProbeRecorder>& recorder)>;
  absl::StatusOr<ProbeResult> ExplainBy(const RunGraph& run,
                                        const ProbeRequest& request,
                                        const std::vector<int>& slots,
                                        int expand_rows);

 private:
  // An executable graph and the rules in it; none under the plain derivative.
  struct RuledPlan {
    std::unique_ptr<ProbePlan> plan;
    std::shared_ptr<const RuleTable> rules;

    // For Run; null under the plain derivative.
    c10::intrusive_ptr<RuledRun> NewRun() const;
    c10::IValue Run(const at::Tensor& input,
                    const std::vector<c10::IValue>& attributes,
                    const c10::intrusive_ptr<ProbeRecorder>& recorder,
                    const c10::intrusive_ptr<RuledRun>& ruled = {}) const;
  };

  // Runs the reference image of the request's rule, and notes in `ruled` what
  // its operators come to.  Returns the activations at the slots, of one image.
  std::vector<at::Tensor> RunReference(
      const RuledPlan& plan, const ProbeRequest& request, at::ScalarType dtype,
      const std::vector<c10::IValue>& attributes,
      const c10::intrusive_ptr<RuledRun>& ruled) const;
  const RuledPlan& Plan(const std::vector<int>& slots, int expand_rows,
                        const BackwardRule& rule = {});

  const MarkedGraph marked_;
  const c10::Device device_;
  const at::ScalarType dtype_;
  OutputSelector output_;
  const RuleGround rule_ground_;
  const std::vector<bool> cuts_;
  const std::vector<int> positions_;
  const std::vector<std::string> gradient_ends_;

  ExpandRowsCost expand_rows_cost_;
  // By probes, where rows part, and the rule.
  PlanCache<std::tuple<std::vector<int>, int, BackwardRule>, RuledPlan> plans_{
      64};
};

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_PROBED_NETWORK_H_
