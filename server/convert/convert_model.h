// What the table of models holds, on the wire.
// Pure functions; safe from any thread.

#ifndef SALIENCY_SERVER_CONVERT_CONVERT_MODEL_H_
#define SALIENCY_SERVER_CONVERT_CONVERT_MODEL_H_

#include <vector>

#include "core/engine/model_metadata.h"
#include "core/engine/model_table.h"
#include "core/model/model_config.h"
#include "saliency/v1/model_service.pb.h"

namespace saliency {

// The configuration in force, every field set.
v1::ModelConfig ToProto(const ModelConfig& config);

void ToProto(const std::vector<ModelVersionPtr>& versions,
             v1::ListModelsResponse* response);

// Everything but `versions`: layers, methods and what the self-check found.
void ToProto(const ModelMetadata& metadata, v1::GetModelResponse* response);

// The state of one version, for either answer.
void ToProto(const ModelVersion& version, v1::ModelVersion* out);

}  // namespace saliency

#endif  // SALIENCY_SERVER_CONVERT_CONVERT_MODEL_H_
