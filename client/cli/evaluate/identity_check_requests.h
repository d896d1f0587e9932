// What an identity check asks the server about an image, and what the answers
// mean: the maps with and without the virtual identity at layer resolution, so
// that they are compared on the convolution's own grid, and, where there are
// boxes, where they point in the image.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CLIENT_CLI_EVALUATE_IDENTITY_CHECK_REQUESTS_H_
#define SALIENCY_CLIENT_CLI_EVALUATE_IDENTITY_CHECK_REQUESTS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/evaluate/identity_check_metrics.h"
#include "client/cli/evaluate/voc_folder.h"
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
enum class IdentityRequest { kMaps, kPoints };

// As few requests as the server's limits allow, each for some of the layers;
// the same layers for either request.  Without model, version and image.
// `categories` become the targets, in order; none: the predicted class.
// `map_pixels` is the larger of the image's and the model's input.
std::vector<v1::ComputeSaliencyRequest> IdentityRequests(
    const std::vector<std::string>& layers,
    const std::map<std::string, CategoryBoxes>& categories, int64_t map_pixels,
    IdentityRequest wanted);

// What an answer to such a request for maps says, layer by layer for each
// target.  With boxes `points` is the answer to the same request for points;
// null: there are none.
// Errors: that of the first result that failed, with its method and layer;
//   INTERNAL an answer in another shape than asked for.
absl::StatusOr<std::vector<IdentityMeasurement>> IdentityMeasurements(
    const std::string& image,
    const std::map<std::string, CategoryBoxes>& categories,
    const v1::ComputeSaliencyRequest& request,
    const v1::ComputeSaliencyResponse& maps,
    const v1::ComputeSaliencyResponse* points);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_EVALUATE_IDENTITY_CHECK_REQUESTS_H_
