// MeasureClassSensitivity from the wire and back: one item with two rows, the
// most and the least likely class, and the correlation of their maps.
// Pure functions; safe from any thread.

#ifndef SALIENCY_SERVER_CONVERT_CONVERT_CLASS_SENSITIVITY_H_
#define SALIENCY_SERVER_CONVERT_CONVERT_CLASS_SENSITIVITY_H_

#include "absl/strings/string_view.h"
#include "core/base/violations.h"
#include "core/engine/engine_limits.h"
#include "core/engine/job.h"
#include "saliency/v1/saliency_service.pb.h"
#include "server/convert/convert_parts.h"

namespace saliency {

// Everything of the job but request_id, deadline and cancel.  What is wrong is
// found by field, value and limit.
Job JobFromProto(const v1::MeasureClassSensitivityRequest& request,
                 const EngineLimits& limits, Violations& found);

// Fills `response` from the answer to such a job; a failed measurement carries
// the status that a caller may see (public_status.h).
void ToProto(Explanation&& explanation, absl::string_view request_id,
             v1::MeasureClassSensitivityResponse* response);

}  // namespace saliency

#endif  // SALIENCY_SERVER_CONVERT_CONVERT_CLASS_SENSITIVITY_H_
