#include "core/model/output_meaning.h"

#include <ATen/ATen.h>

#include "absl/strings/str_cat.h"

namespace saliency {
namespace {

const char* NameOf(EndActivation activation) {
  switch (activation) {
    case EndActivation::kNone:
    case EndActivation::kUnitInterval:
    case EndActivation::kNonNegative:
      return "";
    case EndActivation::kSoftmax:
      return "softmax";
    case EndActivation::kLogSoftmax:
      return "log_softmax";
    case EndActivation::kSigmoid:
      return "sigmoid";
    case EndActivation::kLogSigmoid:
      return "logsigmoid";
  }
  return "";
}

bool IsLog(EndActivation activation) {
  return activation == EndActivation::kLogSoftmax ||
         activation == EndActivation::kLogSigmoid;
}

bool IsSoftmax(EndActivation activation) {
  return activation == EndActivation::kSoftmax ||
         activation == EndActivation::kLogSoftmax;
}

// Whether the classes' numbers sum to 1 at each position of each image.
bool SumToOne(const at::Tensor& numbers) {
  // bfloat16 has 8 bits, and a thousand classes round a thousand times.
  constexpr double kTolerance = 1e-2;
  return numbers.min().item<double>() >= 0 &&
         (numbers.sum(1) - 1).abs().max().item<double>() <= kTolerance;
}

// The largest difference that images make to one of [B,...] numbers.
double Spread(const at::Tensor& numbers) {
  return (numbers.amax(0) - numbers.amin(0)).max().item<double>();
}

// Whether they sum to another number than 1, the same for all images, as
// percentages do: no sum of logits differs so much less than they.
bool SumToTheSame(const at::Tensor& numbers) {
  constexpr double kTolerance = 1e-3;
  return numbers.min().item<double>() >= 0 &&
         Spread(numbers.sum(1)) < kTolerance * Spread(numbers);
}

bool InUnitInterval(const at::Tensor& numbers) {
  return numbers.min().item<double>() >= 0 && numbers.max().item<double>() <= 1;
}

// For several outputs whose operator does not tell.
void TrySeveral(OutputActivation declared, const at::Tensor& numbers,
                OutputMeaning& meaning) {
  const bool says_nothing_is_applied = declared == OutputActivation::kNone;
  const OutputBasis basis =
      says_nothing_is_applied ? OutputBasis::kDeclared : OutputBasis::kTrial;
  if (SumToOne(numbers)) {
    meaning.probabilities = Probabilities::kGiven;
    meaning.exclusive = true;
    meaning.basis = basis;
  } else if (SumToOne(numbers.exp())) {
    meaning.probabilities = Probabilities::kGivenLogs;
    meaning.exclusive = true;
    meaning.basis = basis;
  } else if (says_nothing_is_applied && InUnitInterval(numbers)) {
    meaning.probabilities = Probabilities::kGiven;
    meaning.exclusive = false;
  } else if (SumToTheSame(numbers)) {
    meaning.probabilities = Probabilities::kNone;
    meaning.exclusive = false;
    meaning.basis = basis;
  }
}

}  // namespace

OutputMeaning MeaningOf(OutputActivation declared, EndActivation found,
                        int64_t output_class) {
  OutputMeaning meaning = {
      .basis = OutputBasis::kDeclared,
      .activation = NameOf(found),
      .never_negative = found == EndActivation::kNonNegative,
      .output_class = output_class};
  if (declared == OutputActivation::kRegression) {
    meaning.probabilities = Probabilities::kNone;
    meaning.exclusive = false;
    return meaning;
  }
  if (found != EndActivation::kNone && found != EndActivation::kNonNegative) {
    meaning.probabilities =
        IsLog(found) ? Probabilities::kGivenLogs : Probabilities::kGiven;
    meaning.exclusive = IsSoftmax(found);
    meaning.basis = OutputBasis::kGraph;
    return meaning;
  }
  switch (declared) {
    case OutputActivation::kDefault:
      meaning.basis = OutputBasis::kDefault;
      break;
    case OutputActivation::kSoftmax:
    case OutputActivation::kRegression:
      break;
    case OutputActivation::kSigmoid:
      meaning.probabilities = Probabilities::kSigmoid;
      meaning.exclusive = false;
      break;
    case OutputActivation::kNone:
      meaning.probabilities = Probabilities::kNone;
      meaning.exclusive = false;
      break;
  }
  return meaning;
}

absl::Status AddTrial(OutputActivation declared, const at::Tensor& output,
                      OutputMeaning& meaning) {
  const bool is_single = output.dim() == 1 || output.size(1) == 1;
  if (!is_single) {
    const bool is_open =
        declared != OutputActivation::kRegression && meaning.activation.empty();
    if (is_open) TrySeveral(declared, output.to(at::kDouble), meaning);
    return absl::OkStatus();
  }
  if (declared == OutputActivation::kSoftmax &&
      meaning.probabilities == Probabilities::kSoftmax) {
    return absl::InvalidArgumentError(
        "output_activation SOFTMAX of a model with one output is 1 for every "
        "image; SIGMOID makes two classes of it, REGRESSION shows its value");
  }
  // No logit is that sure of one class.
  if (meaning.never_negative && declared == OutputActivation::kDefault) {
    meaning.probabilities = Probabilities::kNone;
    meaning.basis = OutputBasis::kGraph;
  }
  meaning.one_output = meaning.probabilities != Probabilities::kNone;
  if (meaning.probabilities == Probabilities::kSoftmax) {
    meaning.probabilities = Probabilities::kSigmoid;
  }
  meaning.exclusive = meaning.one_output;
  return absl::OkStatus();
}

at::Tensor ClassOutputs(const at::Tensor& outputs,
                        const OutputMeaning& meaning) {
  if (outputs.size(1) != 1 || meaning.probabilities == Probabilities::kNone) {
    return outputs;
  }
  at::Tensor opposite;
  switch (meaning.probabilities) {
    case Probabilities::kSoftmax:
    case Probabilities::kSigmoid:
    case Probabilities::kNone:
      opposite = -outputs;
      break;
    case Probabilities::kGiven:
      opposite = 1 - outputs;
      break;
    case Probabilities::kGivenLogs:
      opposite = at::log(-at::expm1(outputs));
      break;
  }
  return meaning.output_class == 0 ? at::cat({outputs, opposite}, 1)
                                   : at::cat({opposite, outputs}, 1);
}

MetaLoss LossOf(const OutputMeaning& output) {
  return output.exclusive && !output.one_output ? MetaLoss::kCrossEntropy
                                                : MetaLoss::kBinaryCrossEntropy;
}

absl::Status CheckLoss(MetaLoss loss, const OutputMeaning& output,
                       int64_t num_classes) {
  switch (output.probabilities) {
    case Probabilities::kNone:
      return absl::InvalidArgumentError(
          "the model returns plain values, of which there is no cross-entropy "
          "that a meta step could follow");
    case Probabilities::kGiven:
    case Probabilities::kGivenLogs:
      if (loss == LossOf(output)) return absl::OkStatus();
      return absl::InvalidArgumentError(absl::StrCat(
          loss == MetaLoss::kCrossEntropy ? "" : "BINARY_",
          "CROSS_ENTROPY needs logits; the model returns probabilities, of "
          "which ",
          loss == MetaLoss::kCrossEntropy ? "BINARY_" : "",
          "CROSS_ENTROPY is defined"));
    case Probabilities::kSoftmax:
    case Probabilities::kSigmoid:
      break;
  }
  if (loss == MetaLoss::kCrossEntropy &&
      (num_classes < 2 || output.one_output)) {
    return absl::InvalidArgumentError(
        "CROSS_ENTROPY needs two logits or more; the model returns one, of "
        "which BINARY_CROSS_ENTROPY is defined");
  }
  return absl::OkStatus();
}

}  // namespace saliency
