// What a pass through a model is asked for, and what it brings back.
// Value types; thread-compatible.
//
// Legend: N pictures, R rows (a row is one picture with one target), C classes,
// K x H x W a probed tensor.

#ifndef SALIENCY_CORE_MODEL_PROBE_H_
#define SALIENCY_CORE_MODEL_PROBE_H_

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/time/time.h"

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

// What of the target's logit is differentiated (methods.md 1).
enum class Score {
  kLogit,
  kSoftmax,
  kLogSoftmax,
  kSigmoid,
  kLogSigmoid,
  kScalarOutput,  // the model returns one number per picture; targets ignored
};

struct ProbeRow {
  int64_t picture = 0;  // in [0, N)
  ClassTarget target;
  Score score = Score::kLogit;
};

struct ProbeRequest {
  at::Tensor input;  // [N,3,H,W] float32, CPU (pinned for a GPU) or device
  std::vector<ProbeRow> rows;
  std::vector<Probe> probes;  // no duplicates
  // Which probes need no gradient (their `gradient` stays undefined); same
  // length as `probes` or empty (all do).
  std::vector<bool> activation_only;
};

struct ProbeResult {
  at::Tensor logits;  // [N,C] float32, CPU; a spatial logit map is pooled
  std::vector<int64_t> class_index;  // per row, resolved
  std::vector<float> score;          // per row
  struct Record {
    at::Tensor activation;  // [R,K,H,W] float32, device
    at::Tensor gradient;    // [R,K,H,W] float32, device
  };
  std::vector<Record> records;  // per probe
  absl::Duration forward_time;
  absl::Duration backward_time;
};

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_PROBE_H_
