// MeasureWeightSensitivity from the wire and back.  Checked here: what a Job
// cannot express, and what would cost memory to convert at all; the rest is the
// engine's.
// Pure functions; safe from any thread.

#ifndef SALIENCY_SERVER_CONVERT_CONVERT_WEIGHT_SENSITIVITY_H_
#define SALIENCY_SERVER_CONVERT_CONVERT_WEIGHT_SENSITIVITY_H_

#include "absl/strings/string_view.h"
#include "core/base/violations.h"
#include "core/engine/engine_limits.h"
#include "core/engine/job.h"
#include "core/engine/run/cascading_randomization.h"
#include "saliency/v1/saliency_service.pb.h"
#include "server/convert/convert_parts.h"

namespace saliency {

// Everything of the job but request_id, deadline and cancel.  What is wrong is
// found by field, value and limit.
Job JobFromProto(const v1::MeasureWeightSensitivityRequest& request,
                 const EngineLimits& limits, Violations& found);

// Fills `response`, taking the maps' bytes; a failed map carries the status
// that a caller may see (public_status.h).
void ToProto(CascadeStage&& stage, absl::string_view request_id,
             v1::MeasureWeightSensitivityResponse* response);

}  // namespace saliency

#endif  // SALIENCY_SERVER_CONVERT_CONVERT_WEIGHT_SENSITIVITY_H_
