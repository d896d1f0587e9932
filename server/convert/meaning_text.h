// What a model's outputs mean, in the operator's words.
// Pure functions; safe from any thread.

#ifndef SALIENCY_SERVER_CONVERT_MEANING_TEXT_H_
#define SALIENCY_SERVER_CONVERT_MEANING_TEXT_H_

#include <string>

#include "core/model/model_config.h"
#include "core/model/output_meaning.h"

namespace saliency {

// How outputs become probabilities and who says so: "probabilities, found: the
// model ends in softmax".
std::string MeaningText(const OutputMeaning& output);

// That what config.pbtxt declares is not applied, since the model returns no
// logits; empty: there is nothing to tell.
std::string UnusedActivation(OutputActivation declared,
                             const OutputMeaning& output);

// Puts what is in force where nothing is declared.
void FillActivation(const OutputMeaning& output, ModelConfig& config);

}  // namespace saliency

#endif  // SALIENCY_SERVER_CONVERT_MEANING_TEXT_H_
