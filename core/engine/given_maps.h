// Combinations of maps that the caller has already: no model, no pass, no
// queue; checked, measured and joined like a model's.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_ENGINE_GIVEN_MAPS_H_
#define SALIENCY_CORE_ENGINE_GIVEN_MAPS_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "core/engine/engine_limits.h"
#include "core/engine/job.h"

namespace saliency {

// Whether the job's input is maps.
bool HoldsGivenMaps(const Job& job);

// Bytes that the input holds until it is answered.  Looks at headers and sizes
// only.  REQUIRES: HoldsGivenMaps(job).
// Errors: INVALID_ARGUMENT naming the field, the value and the limit.
absl::StatusOr<int64_t> MeasureGivenMaps(const Job& job,
                                         const EngineLimits& limits);

// The whole answer: `combined`, and `layer_maps` where asked for; no model and
// no pictures.  REQUIRES: MeasureGivenMaps found nothing wrong.
// Errors: INVALID_ARGUMENT as for a model's maps; a weighting that is
//   calibrated; a value that is not finite; a size that needs a model.
absl::StatusOr<Explanation> CombineGivenMaps(const Job& job,
                                             const EngineLimits& limits);

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_GIVEN_MAPS_H_
