// layer_weights.pbtxt (text format of saliency.v1.LayerWeights), what
// calibration leaves in a version's folder, to the plain LayerWeights and back.
// Pure functions; safe from any thread.

#ifndef SALIENCY_SERVER_CONVERT_LAYER_WEIGHTS_TEXT_H_
#define SALIENCY_SERVER_CONVERT_LAYER_WEIGHTS_TEXT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/model/layer_weights.h"
#include "core/model/probed_model.h"
#include "saliency/v1/model_config.pb.h"

namespace saliency {

// Errors: INVALID_ARGUMENT in one line: where the text is no LayerWeights, or
//   the field, the value and the limit.
absl::StatusOr<LayerWeights> ParseLayerWeightsText(const std::string& text);

// Whether the weights are those of this model.
// Errors: NOT_FOUND a layer the model lacks, with near matches;
//   INVALID_ARGUMENT a layer that is not spatial, or the digest of another
//   file.
absl::Status CheckLayerWeights(const LayerWeights& weights,
                               absl::Span<const LayerInfo> layers,
                               absl::string_view model_sha256);

v1::LayerWeights ToProto(const LayerWeights& weights);

// What ParseLayerWeightsText reads.
std::string LayerWeightsText(const LayerWeights& weights);

}  // namespace saliency

#endif  // SALIENCY_SERVER_CONVERT_LAYER_WEIGHTS_TEXT_H_
