// From an Explanation to the wire.
// Pure functions; safe from any thread.

#ifndef SALIENCY_SERVER_CONVERT_ANSWER_H_
#define SALIENCY_SERVER_CONVERT_ANSWER_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "core/engine/job.h"
#include "saliency/v1/saliency_service.pb.h"

namespace saliency {

// Fills `response`, taking the maps' bytes; a failed result carries the status
// that a caller may see (public_status.h).
void ToProto(Explanation&& explanation, absl::string_view request_id,
             v1::ComputeSaliencyResponse* response);

// OK unless every result failed: then the first one's status, since the call as
// a whole has nothing to show.
absl::Status OverallStatus(const Explanation& explanation);

}  // namespace saliency

#endif  // SALIENCY_SERVER_CONVERT_ANSWER_H_
