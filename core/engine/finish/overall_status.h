// Whether a call as a whole has anything to show.
// Pure function; safe from any thread.

#ifndef SALIENCY_CORE_ENGINE_FINISH_OVERALL_STATUS_H_
#define SALIENCY_CORE_ENGINE_FINISH_OVERALL_STATUS_H_

#include "absl/status/status.h"
#include "core/engine/job.h"

namespace saliency {

// OK unless every result and every combination failed: then the first one's
// status.  The maps of combinations' layers do not count.
absl::Status OverallStatus(const Explanation& explanation);

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_FINISH_OVERALL_STATUS_H_
