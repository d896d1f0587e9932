// Runs a model before anybody waits for it: allocators, kernels and caches are
// then ready, and a model that cannot be explained is found out.
// Thread-compatible.

#ifndef SALIENCY_SERVER_LOADING_WARM_UP_H_
#define SALIENCY_SERVER_LOADING_WARM_UP_H_

#include <vector>

#include "absl/status/status.h"
#include "core/engine/explainer.h"
#include "core/engine/model_metadata.h"

namespace saliency {

// One attribution for each kind of inputs that the model can give: activation
// and gradient at the default layers, and the last layer of each other kind.
std::vector<PassAttribution> WarmUpAttributions(const ModelMetadata& metadata);

// Explains random inputs (normal, as preprocessing leaves images) of the
// configured size with all of them, in batches of one row and of the largest
// size, and as a request asks that names nothing.  A layer that a pass does not
// come by is passed over.
// Errors: those of the passes and of single maps; FAILED_PRECONDITION output or
//   maps that are not finite, or no gradient that reaches the image.
absl::Status WarmUp(const ModelMetadata& metadata, Explainer& explainer);

}  // namespace saliency

#endif  // SALIENCY_SERVER_LOADING_WARM_UP_H_
