// What `saliency models` and `saliency calibrate` print: tables for people, or
// JSON.
// Pure functions of their arguments; safe from any thread.

#ifndef SALIENCY_CLIENT_CLI_MODEL_TEXT_H_
#define SALIENCY_CLIENT_CLI_MODEL_TEXT_H_

#include <ostream>
#include <string>

#include "saliency/v1/model_service.pb.h"

namespace saliency {

// One line for each version of each model.
void PrintModelList(const v1::ListModelsResponse& response, std::ostream& out);

// Input, versions, layers and methods of one model.
void PrintModel(const v1::GetModelResponse& model, std::ostream& out);

// What was measured: the model, how many images, and a line for each layer.
void PrintCalibration(const v1::CalibrationResult& result, std::ostream& out);

// The same as one JSON object each, without line breaks.
std::string ModelSummaryJson(const v1::ModelSummary& model);
std::string ModelJson(const v1::GetModelResponse& model);
std::string CalibrationJson(const v1::CalibrationResult& result);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_MODEL_TEXT_H_
