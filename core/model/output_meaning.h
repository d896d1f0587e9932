// What the numbers are that a model returns: logits that want softmax or
// sigmoid, probabilities that the model made itself, or plain values.  Declared
// in config.pbtxt, or found: in the graph, by the last operator before the
// output, and by trial, where each image's outputs sum to 1.
//
// A model with one output has two classes, the one that the output speaks for
// and its opposite, unless the output is a plain value.
//
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_MODEL_OUTPUT_MEANING_H_
#define SALIENCY_CORE_MODEL_OUTPUT_MEANING_H_

#include <cstdint>
#include <string>

#include "ATen/core/Tensor.h"
#include "absl/status/status.h"
#include "core/model/model_config.h"
#include "core/model/probe.h"

namespace saliency {

// From an output to a probability.
enum class Probabilities {
  kSoftmax,    // softmax over the outputs, which are logits
  kSigmoid,    // sigmoid of each output, a logit
  kGiven,      // the output is one already
  kGivenLogs,  // the output is the logarithm of one
  kNone,       // there is none: plain values
};

// Who says so.
enum class OutputBasis {
  kDefault,   // nobody: assumed
  kDeclared,  // config.pbtxt
  kGraph,     // the operators that made the output
  kTrial,     // the outputs of random images at load
};

struct OutputMeaning {
  Probabilities probabilities = Probabilities::kSoftmax;
  // Whether the classes exclude each other, their probabilities adding up to 1.
  bool exclusive = true;
  OutputBasis basis = OutputBasis::kDefault;
  // The activation that the model ends in, "log_softmax"; empty: none found.
  std::string activation;
  // The graph tells that no output can be negative.
  bool never_negative = false;
  // The model returns one number an image, of which two classes are made.
  bool one_output = false;
  // With one_output: the class whose score the output is; the other is 1 minus
  // this.
  int64_t output_class = 0;
};

// The activation that a model ends in, as far as its graph tells.
enum class EndActivation {
  kNone,
  kSoftmax,
  kLogSoftmax,
  kSigmoid,
  kLogSigmoid,
  kUnitInterval,  // none of these, but all numbers lie in [0,1]
  kNonNegative    // nor that, but no number is negative
};

// What follows from the graph and the declaration alone.
OutputMeaning MeaningOf(OutputActivation declared, EndActivation found,
                        int64_t output_class);

// Goes on with what a forward returned.  `output` is the chosen output of one
// image or more, [B], [B,C] or [B,C,h,w] in the model's precision.
// Errors: INVALID_ARGUMENT softmax is declared of a single output.
absl::Status AddTrial(OutputActivation declared, const at::Tensor& output,
                      OutputMeaning& meaning);

// [B,C] as the classes have it: the two classes [B,2] of a single output [B,1]
// unless that is a plain value, anything else as it is; differentiable.  Needs
// no trial first.
at::Tensor ClassOutputs(const at::Tensor& outputs,
                        const OutputMeaning& meaning);

// The loss that suits the output: cross-entropy of classes that exclude each
// other, binary cross-entropy otherwise and of a single output.
MetaLoss LossOf(const OutputMeaning& output);

// Whether `loss` can be had of the output.  Of logits either can (cross-entropy
// of two or more); of probabilities only their own, minus the logarithm of the
// class's; of plain values none.
// Errors: INVALID_ARGUMENT why not.
absl::Status CheckLoss(MetaLoss loss, const OutputMeaning& output,
                       int64_t num_classes);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_OUTPUT_MEANING_H_
