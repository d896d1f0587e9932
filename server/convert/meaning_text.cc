#include "server/convert/meaning_text.h"

#include "absl/strings/str_cat.h"

namespace saliency {

std::string MeaningText(const OutputMeaning& output) {
  const char* how = "";
  switch (output.probabilities) {
    case Probabilities::kSoftmax:
      how = "logits for softmax";
      break;
    case Probabilities::kSigmoid:
      how = output.one_output ? "one logit for sigmoid" : "logits for sigmoid";
      break;
    case Probabilities::kGiven:
      how = "probabilities";
      break;
    case Probabilities::kGivenLogs:
      how = "logarithms of probabilities";
      break;
    case Probabilities::kNone:
      how = "plain values";
      break;
  }
  switch (output.basis) {
    case OutputBasis::kDefault:
      return absl::StrCat(how, ", by default");
    case OutputBasis::kDeclared:
      return absl::StrCat(how, ", declared");
    case OutputBasis::kGraph:
      if (output.probabilities == Probabilities::kNone) {
        return absl::StrCat(how, ", found: one number that is never negative");
      }
      if (output.activation.empty()) {
        return absl::StrCat(how, ", found: they can only lie in [0,1]");
      }
      return absl::StrCat(how, ", found: the model ends in ",
                          output.activation);
    case OutputBasis::kTrial:
      return absl::StrCat(how, ", found: they sum to 1");
  }
  return how;
}

std::string UnusedActivation(OutputActivation declared,
                             const OutputMeaning& output) {
  const bool wants_logits = declared == OutputActivation::kSoftmax ||
                            declared == OutputActivation::kSigmoid;
  const bool returns_logits = output.probabilities == Probabilities::kSoftmax ||
                              output.probabilities == Probabilities::kSigmoid;
  if (!wants_logits || returns_logits) return "";
  return absl::StrCat(
      "output_activation ",
      declared == OutputActivation::kSoftmax ? "SOFTMAX" : "SIGMOID",
      " is not applied: the model returns ", MeaningText(output));
}

void FillActivation(const OutputMeaning& output, ModelConfig& config) {
  if (config.activation != OutputActivation::kDefault) return;
  switch (output.probabilities) {
    case Probabilities::kSoftmax:
      config.activation = OutputActivation::kSoftmax;
      break;
    case Probabilities::kSigmoid:
      config.activation = OutputActivation::kSigmoid;
      break;
    case Probabilities::kGiven:
    case Probabilities::kGivenLogs:
    case Probabilities::kNone:
      config.activation = OutputActivation::kNone;
      break;
  }
}

}  // namespace saliency
