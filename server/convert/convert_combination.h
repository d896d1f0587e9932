// CombineLayers from the wire and back.  Checked here: what a Job cannot
// express, and what would cost memory to convert at all; the rest is the
// engine's.
// Pure functions; safe from any thread.

#ifndef SALIENCY_SERVER_CONVERT_CONVERT_COMBINATION_H_
#define SALIENCY_SERVER_CONVERT_CONVERT_COMBINATION_H_

#include <vector>

#include "absl/strings/string_view.h"
#include "core/base/violations.h"
#include "core/engine/engine_limits.h"
#include "core/engine/job.h"
#include "saliency/v1/saliency_service.pb.h"
#include "server/convert/convert_parts.h"

namespace saliency {

// Of a model's layers.  None when there are more of them, or more layers or
// weights, than the limits allow.
std::vector<JobCombination> CombinationsFromProto(
    const google::protobuf::RepeatedPtrField<v1::Combination>& combinations,
    const EngineLimits& limits, Violations& found);

// One combined map; its bytes are taken.
void ToProto(CombinedResult&& combined, absl::string_view request_id,
             v1::CombinedMap* out);

// Everything of the job but request_id, deadline and cancel.  What is wrong is
// found by field, value and limit, as `combinations[2]: weighting: unknown
// value 9`.
Job JobFromProto(const v1::CombineLayersRequest& request,
                 const EngineLimits& limits, Violations& found);

// Fills `response`, taking the maps' bytes; a failed result carries the status
// that a caller may see (public_status.h).
void ToProto(Explanation&& explanation, absl::string_view request_id,
             v1::CombineLayersResponse* response);

}  // namespace saliency

#endif  // SALIENCY_SERVER_CONVERT_CONVERT_COMBINATION_H_
