// CombineLayers from the wire and back.  Checked here: what a Job cannot
// express, and what would cost memory to convert at all; the rest is the
// engine's.
// Pure functions; safe from any thread.

#ifndef SALIENCY_SERVER_CONVERT_COMBINATION_H_
#define SALIENCY_SERVER_CONVERT_COMBINATION_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/engine/engine_limits.h"
#include "core/engine/job.h"
#include "saliency/v1/saliency_service.pb.h"

namespace saliency {

// What would cost memory to convert: a message of 32 MiB holds millions of
// weights.  Errors: INVALID_ARGUMENT naming the field, the count and the limit.
absl::Status CheckCombinationCounts(
    const google::protobuf::RepeatedPtrField<v1::Combination>& combinations,
    const EngineLimits& limits);

// Of a model's layers.  Errors: INVALID_ARGUMENT naming the field and the
//   value.
absl::StatusOr<std::vector<JobCombination>> CombinationsFromProto(
    const google::protobuf::RepeatedPtrField<v1::Combination>& combinations);

// One combined map; its bytes are taken.
void ToProto(CombinedResult&& combined, absl::string_view request_id,
             v1::CombinedMap* out);

// Everything of the job but request_id, deadline and cancel.
// Errors: INVALID_ARGUMENT naming the field, the value and the limit, as
//   `combinations[2].weighting: unknown value 9`.
absl::StatusOr<Job> JobFromProto(const v1::CombineLayersRequest& request,
                                 const EngineLimits& limits);

// Fills `response`, taking the maps' bytes; a failed result carries the status
// that a caller may see (public_status.h).
void ToProto(Explanation&& explanation, absl::string_view request_id,
             v1::CombineLayersResponse* response);

}  // namespace saliency

#endif  // SALIENCY_SERVER_CONVERT_COMBINATION_H_
