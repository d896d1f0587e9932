// MetaSaliency from the wire and back, and what other requests with a meta step
// share with it.  Checked here: what a Job cannot express, and what would cost
// memory to convert at all; the rest is the engine's.
// Pure functions; safe from any thread.

#ifndef SALIENCY_SERVER_CONVERT_CONVERT_META_H_
#define SALIENCY_SERVER_CONVERT_CONVERT_META_H_

#include "absl/strings/string_view.h"
#include "core/base/violations.h"
#include "core/engine/engine_limits.h"
#include "core/engine/job.h"
#include "saliency/v1/saliency_service.pb.h"
#include "server/convert/convert_combination.h"
#include "server/convert/convert_parts.h"

namespace saliency {

// What is wrong is found as `step: direction: unknown value 9`.
JobMetaStep StepFromProto(const v1::MetaStep& step, Violations& found);

// Everything of the job but request_id, deadline and cancel.  What is wrong is
// found by field, value and limit.
Job JobFromProto(const v1::MetaSaliencyRequest& request,
                 const EngineLimits& limits, Violations& found);

// Fills `response`, taking the maps' bytes; a failed result carries the status
// that a caller may see (public_status.h).
void ToProto(Explanation&& explanation, absl::string_view request_id,
             v1::MetaSaliencyResponse* response);

// The input and the maps of a request that has attributions and combinations:
// of the former norm_grad when it has neither.
template <typename Request>
void FillMaps(const Request& request, const EngineLimits& limits, Job& job,
              Violations& found) {
  if (request.combinations().empty() || !request.attributions().empty()) {
    job.attributions =
        AttributionsFromProto(request.attributions(), limits, found);
  }
  job.combinations =
      CombinationsFromProto(request.combinations(), limits, found);
  job.input = InputFromProto(request.input(), limits, found);
}

}  // namespace saliency

#endif  // SALIENCY_SERVER_CONVERT_CONVERT_META_H_
