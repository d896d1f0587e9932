// MeasureWeightSensitivity from the wire and back.  Checked here: what a Job
// cannot express, and what would cost memory to convert at all; the rest is the
// engine's.
// Pure functions; safe from any thread.

#ifndef SALIENCY_SERVER_CONVERT_WEIGHT_SENSITIVITY_H_
#define SALIENCY_SERVER_CONVERT_WEIGHT_SENSITIVITY_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/engine/engine_limits.h"
#include "core/engine/job.h"
#include "core/engine/weight_cascade.h"
#include "saliency/v1/saliency_service.pb.h"

namespace saliency {

// Everything of the job but request_id, deadline and cancel.
// Errors: INVALID_ARGUMENT naming the field, the value and the limit.
absl::StatusOr<Job> JobFromProto(
    const v1::MeasureWeightSensitivityRequest& request,
    const EngineLimits& limits);

// Fills `response`, taking the maps' bytes; a failed map carries the status
// that a caller may see (public_status.h).
void ToProto(CascadeStage&& stage, absl::string_view request_id,
             v1::MeasureWeightSensitivityResponse* response);

}  // namespace saliency

#endif  // SALIENCY_SERVER_CONVERT_WEIGHT_SENSITIVITY_H_
