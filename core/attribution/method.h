// A named method: what it needs from the model, and the function that turns it
// into maps.  One method, one file under methods/; the table of all of them is
// made at configure time (see registry.h).
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_ATTRIBUTION_METHOD_H_
#define SALIENCY_CORE_ATTRIBUTION_METHOD_H_

#include <optional>

#include "ATen/core/Tensor.h"
#include "core/attribution/backward_rule.h"
#include "core/attribution/layer_record.h"

namespace saliency {

// What a method must be given besides the target.
enum class MethodInputs {
  kActivationAndGradient,  // MethodContext::layer
  kActivation,             // MethodContext::layer without its gradient
  kActivationAndHead,      // layer.activation and head_weights
  kRealConv,               // MethodContext::conv
  kScore,                  // score and region; nothing is recorded
  kChannelScores,          // as kScore, at any layer
  kInputAndGradient,       // layer at the input: activation = what the caller
                           // of Attribute puts there
  kExcitation,             // layer, of signals that start at 1
  kRelevance,              // layer, of signals of the output itself
  kRealBatchNorm,          // layer: activation = normalised input xhat,
                           // gradient = that at the batch norm's output
};

// The inputs for B rows at one layer; what a method did not ask for is empty.
struct MethodContext {
  LayerRecord layer;
  std::optional<ConvRecord> conv;
  // [B,K] float32: row b holds the linear head's weights of row b's class.
  at::Tensor head_weights;
  at::Tensor score;   // [B] float32: that of each row
  at::Tensor region;  // [B,H,W] float32: where the score belongs
};

struct Method {
  const char* name;     // the API string
  const char* summary;  // one line for GetModel, --help and the README
  const char* formula;  // plain text, in the notation of the room's legend
  const char* source;   // paper, section or table
  MethodInputs method_inputs;
  bool is_signed;  // maps may be negative: overlays diverge around 0
  // Returns [B,H,W] float32 on the context's device.
  at::Tensor (*attribute)(const MethodContext& context);
  // Other names that it goes by, separated by spaces, as FoldedName() leaves
  // them; its own name needs none for case and punctuation.
  const char* aliases = "";
  // What its gradients are by; parameters have their defaults.
  BackwardRule rule = {};
  // The method whose map at the input is multiplied by this one's, resized to
  // it; null: the map is this one's.
  const Method* input_factor = nullptr;
};

}  // namespace saliency

#endif  // SALIENCY_CORE_ATTRIBUTION_METHOD_H_
