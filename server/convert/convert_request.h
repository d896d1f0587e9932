// From the wire to a Job.  Checked here: what a Job cannot express (a oneof
// that is not set, an enum value that nobody knows) and what would cost memory
// to convert at all (counts, image bytes).  The values themselves are checked
// by the engine, which knows the model.
// Pure functions; safe from any thread.

#ifndef SALIENCY_SERVER_CONVERT_CONVERT_REQUEST_H_
#define SALIENCY_SERVER_CONVERT_CONVERT_REQUEST_H_

#include "core/base/violations.h"
#include "core/engine/engine_limits.h"
#include "core/engine/job.h"
#include "saliency/v1/saliency_service.pb.h"
#include "server/convert/convert_parts.h"

namespace saliency {

// Everything of the job but request_id, deadline and cancel.  What is wrong is
// found by field, value and limit, as `attributions[2]: pair.extract:
// unspecified`.
Job JobFromProto(const v1::ComputeSaliencyRequest& request,
                 const EngineLimits& limits, Violations& found);

}  // namespace saliency

#endif  // SALIENCY_SERVER_CONVERT_CONVERT_REQUEST_H_
