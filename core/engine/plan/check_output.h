// Whether the maps a caller asks for may be made at all: forms that fit
// together, and sizes within the limits, checked before memory is taken.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_ENGINE_PLAN_CHECK_OUTPUT_H_
#define SALIENCY_CORE_ENGINE_PLAN_CHECK_OUTPUT_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/violations.h"
#include "core/engine/engine_limits.h"
#include "core/engine/job.h"
#include "core/engine/model_metadata.h"
#include "core/engine/plan/plan_results.h"
#include "core/engine/plan/prepare_input.h"

namespace saliency {

// Finds what is INVALID_ARGUMENT: values out of range, an unknown colour map,
// an encoding that the other options or the input exclude.
void CheckOptions(const Job& job, Violations& found);

// How large the maps of a plan become.
struct MapSizes {
  InputSize input;
  double growth = 1;  // of a layer's pixels over PlannedResult::layer_pixels
  int64_t rows = 1;   // images x targets, plain ones counted again
};

// Errors: INVALID_ARGUMENT one map's pixels, or maps x pixels over the limit; a
//   side that the encoding does not know.
//   A map counts at its own or its layer's size, whichever is larger; the maps
//   of combinations' layers count too, since each is made at the output's size.
absl::Status CheckMapPixels(const OutputOptions& output, const ResultPlan& plan,
                            const MapSizes& sizes, const EngineLimits& limits);

// What can be known of the answer's bytes before the maps are made: those of
// float32.  `sizes` counts the rows that are handed out.
// Errors: INVALID_ARGUMENT as CheckAnswerBytes of answer_bytes.h.
absl::Status CheckAnswerBytes(const Job& job, const ResultPlan& plan,
                              const MapSizes& sizes,
                              const EngineLimits& limits);

// Errors: INVALID_ARGUMENT too many rows; as CheckMapPixels and
//   CheckAnswerBytes.
absl::StatusOr<MapSizes> CheckVolume(const Job& job, const ModelMetadata& model,
                                     const ResultPlan& plan,
                                     const InputSize& input, int64_t targets,
                                     const EngineLimits& limits);

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_PLAN_CHECK_OUTPUT_H_
