// What an identity check asks the server about a picture, and what the answers
// mean: the maps with and without the virtual identity at layer resolution, so
// that they are compared on the convolution's own grid, and, where there are
// boxes, where they point in the picture.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CLIENT_IDENTITY_CHECK_QUESTIONS_H_
#define SALIENCY_CLIENT_IDENTITY_CHECK_QUESTIONS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/identity_check_tally.h"
#include "client/voc_folder.h"
#include "saliency/v1/model_service.pb.h"
#include "saliency/v1/saliency_service.pb.h"

namespace saliency {

// The layers that are compared: `layers`, or all convolutions of the model when
// empty.
// Errors: INVALID_ARGUMENT the model has none; NOT_FOUND a layer that is no
//   convolution, with near names.
absl::StatusOr<std::vector<std::string>> IdentityLayers(
    const std::vector<std::string>& layers, const v1::GetModelResponse& model);

// What is asked of the maps of a request.
enum class IdentityQuestion { kMaps, kPoints };

// As few requests as the server's limits allow, each for some of the layers;
// the same layers for either question.  Without model, version and picture.
// `categories` become the targets, in order; none: the predicted class.
// `map_pixels` is the larger of the picture's and the model's input.
std::vector<v1::ComputeSaliencyRequest> IdentityRequests(
    const std::vector<std::string>& layers,
    const std::map<std::string, CategoryBoxes>& categories, int64_t map_pixels,
    IdentityQuestion question);

// What an answer to such a request for maps says, layer by layer for each
// target.  With boxes `points` is the answer to the same request for points;
// null: there are none.
// Errors: that of the first result that failed, with its method and layer;
//   INTERNAL an answer in another shape than asked for.
absl::StatusOr<std::vector<IdentityMeasurement>> IdentityMeasurements(
    const std::string& picture,
    const std::map<std::string, CategoryBoxes>& categories,
    const v1::ComputeSaliencyRequest& request,
    const v1::ComputeSaliencyResponse& maps,
    const v1::ComputeSaliencyResponse* points);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_IDENTITY_CHECK_QUESTIONS_H_
