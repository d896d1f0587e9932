// What a pass through a model is asked for, and what it brings back.
// Value types; thread-compatible.
//
// Legend: N images, R rows (a row is one image with one target), C classes,
// K x H x W a probed tensor.

#ifndef SALIENCY_CORE_MODEL_PROBE_H_
#define SALIENCY_CORE_MODEL_PROBE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/attribution/backward_rule.h"

namespace saliency {

// One tensor of the network: the value that the module at `layer` returned, or
// (kInput, real convolutions and batch norms) the value it was given.
struct Probe {
  enum class Side { kOutput, kInput };
  // Dotted module path as in named_modules(), "path#2" for the second call of
  // a reused module, "path:0" for a part of a tuple, or "input".
  std::string layer;
  Side side = Side::kOutput;

  friend bool operator==(const Probe&, const Probe&) = default;
  friend auto operator<=>(const Probe&, const Probe&) = default;
};

// Which class's score is explained.  Ties between logits go to the lowest
// class index, at both ends.
struct ClassIndex {
  int64_t index = 0;  // in [0, C)
};
struct RankFromTop {
  int64_t rank = 0;  // 0: the predicted class
};
struct RankFromBottom {
  int64_t rank = 0;  // 0: the least likely class
};
using ClassTarget = std::variant<RankFromTop, ClassIndex, RankFromBottom>;

// Adds `weight` times the score of a further class to a row's score.
struct ScoreTerm {
  int64_t index = 0;  // in [0, C)
  double weight = 1;

  friend bool operator==(const ScoreTerm&, const ScoreTerm&) = default;
};

// What of the target's logit is differentiated.
enum class Score {
  kLogit,
  kSoftmax,
  kLogSoftmax,
  kSigmoid,
  kLogSigmoid,
  kScalarOutput,  // the model returns one number per image; targets ignored
};

// The loss L whose gradient a meta step follows.
enum class MetaLoss {
  // Softmax cross-entropy of the explained class c: -log softmax(logits)[c].
  // For models whose classes exclude each other; needs two classes or more.
  kCrossEntropy,
  // Binary cross-entropy of the explained class alone, its label being 1:
  // -log sigmoid(logits[c]).  For multi-label models: whether the other classes
  // are present is not known, so they take no part.
  kBinaryCrossEntropy,
};
enum class MetaDirection {
  kDescent,  // theta' = theta - 2 epsilon grad L
  kAscent,   // theta' = theta + 2 epsilon grad L
};

// Meta-saliency (the paper, sec. 4.4): before its pass a row takes one plain
// SGD step of learning rate 2 epsilon on its own image, away from the model's
// parameters theta.  All parameters move, batch norms' gamma and beta too;
// running statistics and other buffers do not.
struct MetaStep {
  // Finite, >= 0; zero gives the plain map, bit for bit.
  double epsilon = 1e-3;
  MetaDirection direction = MetaDirection::kDescent;
  MetaLoss loss = MetaLoss::kCrossEntropy;

  friend bool operator==(const MetaStep&, const MetaStep&) = default;
};

struct ProbeRow {
  int64_t image = 0;  // in [0, N)
  ClassTarget target;
  Score score = Score::kLogit;
  // What the score is besides the target's; empty for rows with a meta step.
  std::vector<ScoreTerm> others;
  // All rows of a request have one, or none has; they need not be alike.  A
  // rank is resolved at theta and stays the explained class at theta'.
  std::optional<MetaStep> meta;
};

struct ProbeRequest {
  at::Tensor input;  // [N,C,H,W] float32, CPU (pinned for a GPU) or device
  std::vector<ProbeRow> rows;
  std::vector<Probe> probes;  // no duplicates
  // Which probes need no gradient (their `gradient` stays undefined); same
  // length as `probes` or empty (all do).
  std::vector<bool> activation_only;
  // What goes back of all rows; no meta steps under another than the
  // derivative.
  BackwardRule rule;
};

struct ProbeResult {
  // [N,C] float32, CPU; a spatial logit map is pooled.  Of the model as it is,
  // whatever steps the rows take.
  at::Tensor logits;
  // [R,C] float32, CPU: each row's logits at its theta'; undefined without meta
  // steps.
  at::Tensor stepped_logits;
  std::vector<int64_t> class_index;  // per row, the target resolved
  // Per row, `others` added; at theta' after a meta step.
  std::vector<float> score;
  struct Record {
    // Undefined when no row came by the layer.
    // [R,K,H,W] float32, device; under a rule with a reference its difference
    // from the reference's.
    at::Tensor activation;
    at::Tensor gradient;  // [R,K,H,W] float32, device: the rule's signal
    // By row: whether its pass did not come by the layer (a branch was not
    // taken); its tensors then hold zeros.  Empty: every row came by.
    std::vector<bool> missed;
    // By row: why no gradient reaches the layer, which is then zero; empty
    // where one does, or where there is no known reason.  Empty: all rows.
    std::vector<std::string> no_gradient;
    // Why there is neither: FAILED_PRECONDITION the tensor has not one [K,H,W]
    // for each row.
    absl::Status status;
  };
  std::vector<Record> records;  // per probe
  absl::Duration forward_time;
  absl::Duration backward_time;
};

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_PROBE_H_
