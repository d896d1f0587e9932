// A TorchScript model that can be looked into: runs its graph with virtual
// identities (the paper, sec. 3.1.2) at any set of layers, and returns
// activation and gradient there for many (image, target) rows in one forward
// and one backward.  Parameters never require gradients and are never written.
//
// Thread-compatible: one thread at a time may call Run (a replica's worker);
// everything else is constant after Load and may be read from any thread.

#ifndef SALIENCY_CORE_MODEL_PROBED_MODEL_H_
#define SALIENCY_CORE_MODEL_PROBED_MODEL_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/attribution/backward_rule.h"
#include "core/attribution/layer_record.h"
#include "core/base/input_config.h"
#include "core/model/model_config.h"
#include "core/model/output_meaning.h"
#include "core/model/probe.h"
#include "core/model/random_weights.h"

namespace saliency {

// A real batch norm in eval mode: xhat = (x - mean) / sqrt(var + eps).
struct BatchNormStatistics {
  at::Tensor mean;      // [K] float32
  at::Tensor variance;  // [K] float32
  double eps = 1e-5;
};

// One tensor of the network that can be probed, in graph order.
struct LayerInfo {
  std::string name;  // see Probe::layer
  std::string kind;  // the module's class, "Conv2d"; "input" for the input
  // Sizes at the configured input, without the batch: [K,H,W] for a spatial
  // layer, also where the network itself keeps [H,W,K].
  std::vector<int64_t> shape;
  // Why there are no maps of it; empty: there are.  Maps are of layers with one
  // [K,H,W] for each row, proved at load.
  std::string no_maps_because;
  bool spatial() const { return shape.size() == 3 && no_maps_because.empty(); }
  // Every path from the input to the output crosses this tensor, so rows may
  // be expanded here.
  bool is_cut = false;
  // An operator with weights follows before the output: no map of class scores.
  bool before_weights = true;
  // One lies between the image and it: not the image, resized or normalised.
  bool behind_weights = true;
  bool in_every_pass = true;  // false: within control flow on what the image is
  bool has_gradient = true;   // false: the graph tells that none reaches it
  std::optional<ConvGeometry> conv;               // set for a 2-d convolution
  std::optional<BatchNormStatistics> batch_norm;  // set for a batch norm
  // What is to be known before it is asked for, in words for callers: which
  // call of a loop it is, that not every pass comes by it, that no gradient
  // reaches it.  Empty for most.
  std::string note;
};

// A linear classifier directly behind a global average pool, as `cam` needs.
struct LinearHead {
  at::Tensor weight;                // [C,K] float32
  std::vector<std::string> layers;  // whose output is what the pool averages
};

struct NetworkCheck;  // core/model/check/self_check.h

struct LoadOptions {
  std::string device = "cpu";
  Precision precision = Precision::kFp32;
  std::optional<int> output_index;
  std::string output_key;
  OutputActivation activation = OutputActivation::kDefault;
  int64_t output_class = 0;  // OutputMeaning::output_class
  // Of a copy of a model: what was found out about its output.
  std::optional<OutputMeaning> meaning;
  // Size that shapes are measured and the self-check is run at.
  int64_t input_channels = 3;
  int64_t input_height = 224;
  int64_t input_width = 224;
  // What rules take for black and white.
  PixelRange pixels = PixelRangeOf({});
  // Meta steps by their definition even where the fast path could take them:
  // to hold one against the other.
  bool reference_meta_path = false;
  // Modules whose weights are made random before the graph is read.
  RandomWeights random;
  // What the check of another replica of this file found: not done again.
  std::shared_ptr<const NetworkCheck> known;
};

// What the model turned out to allow, found at load from its graph and by
// running several images, alone and together.
struct SelfCheck {
  bool rows_independent = true;      // false: served one image at a time
  bool expand_rows_at_probe = true;  // false: rows are expanded at the input
  // false: it answers the same question differently each time.
  bool deterministic = true;
  // Why rows depend on each other, "operator aten::max mixes the images of a
  // batch"; empty: they do not.
  std::string rows_depend_because;
  // The first operator that draws random numbers, "aten::dropout"; empty: none.
  std::string random_operator;
};

// Which of forward()'s outputs holds the logits.
struct ModelOutput {
  std::string name;            // "output 1", "output \"out\"", "the output"
  std::vector<int64_t> shape;  // [C] or [C,h,w], without the batch
  // The tensors that it was not, "output 0 [64]", and what holds several.
  std::vector<std::string> others;
};

// How rows with a meta step are run; found from the graph at load.
enum class MetaPath {
  kNone,       // not at all: such rows get FAILED_PRECONDITION with
               // meta_refusal()
  kReference,  // one row at a time, on copies of the parameters
  kFast,       // in batches, without copies
};

class ProbedModel {
 public:
  // Reads a TorchScript archive.  A TorchScript file is code: load only what
  // you trust.
  // Errors: INVALID_ARGUMENT the bytes are no TorchScript archive, or the model
  //   does not take one image tensor or return logits; UNAVAILABLE the
  //   device is absent or lost; RESOURCE_EXHAUSTED the device's memory.
  static absl::StatusOr<std::unique_ptr<ProbedModel>> Load(
      const std::string& path, const LoadOptions& options);
  ~ProbedModel();

  ProbedModel(const ProbedModel&) = delete;
  ProbedModel& operator=(const ProbedModel&) = delete;

  // All tensors that can be probed, "input" first, then in graph order.
  absl::Span<const LayerInfo> layers() const;
  // The layer of this name.  Errors: NOT_FOUND with the three nearest names.
  absl::StatusOr<const LayerInfo*> FindLayer(absl::string_view name) const;
  // 2 where one output has two classes, 1 for a single plain value.
  int64_t num_classes() const;
  const OutputMeaning& meaning() const;
  const std::optional<LinearHead>& linear_head() const;
  const SelfCheck& self_check() const;
  // Which of forward()'s outputs is explained.
  const ModelOutput& output() const;
  // For LoadOptions::known.
  std::shared_ptr<const NetworkCheck> check() const;
  MetaPath meta_path() const;
  // On MetaPath::kNone why: the file holds no parameters (a frozen model), or
  // the path of what a step could not move, and the reason.
  const std::string& meta_refusal() const;
  // Why the model cannot be taken back by this rule: `operator silu of layer
  // "act", which is no ReLU`; empty: it can.  Tells by the graph alone.
  std::string RuleRefusal(const BackwardRule& rule) const;
  // Dotted names, "layer1.0.conv1.weight", in the order in which the graph
  // reads them; empty for a frozen model.
  const std::vector<std::string>& parameter_names() const;
  const std::string& device() const;

  // One forward; one backward (or one per target on the retained graph, where
  // that was measured to be cheaper).
  // A row never depends on its neighbours.
  //
  // Rows with a meta step cost about another forward and backward each; they
  // run in float32 whatever the model's precision, and images are not shared
  // between their rows.  The probes see theta'.  A row in a batch is summed in
  // another order than alone: without kinks that makes as little difference as
  // float32 itself does, at a ReLU it may put a unit on the other side of zero.
  // Errors: INVALID_ARGUMENT rank or class out of range, a meta step that is
  //   not defined (see MetaStep), an image without a row, or the model cannot
  //   run this input, with the operator that fails and why; NOT_FOUND an
  //   unknown probe; FAILED_PRECONDITION a meta step on MetaPath::kNone or
  //   under a rule of its own, a rule that RuleRefusal refuses;
  //   RESOURCE_EXHAUSTED out of device memory; UNAVAILABLE the device was lost.
  //
  // Under a rule of its own a pass runs in float32 whatever the model's
  // precision, but for frozen models.
  // REQUIRES: all rows have a meta step or none has.
  absl::StatusOr<ProbeResult> Run(const ProbeRequest& request);

  // Runs `work` on this thread so that what it gives to the device comes after
  // what Run gave, on the stream of this replica.  Whoever reads the records of
  // a pass calls both, Run and the reading, inside.
  absl::Status OnStream(absl::FunctionRef<absl::Status()> work) const;

 private:
  struct Impl;
  explicit ProbedModel(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_PROBED_MODEL_H_
