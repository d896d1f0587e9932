// Runs the rows of a request one at a time and joins what they bring back.
// Internal to the model room.  Pure function of `run`.

#ifndef SALIENCY_CORE_MODEL_META_SINGLE_ROWS_H_
#define SALIENCY_CORE_MODEL_META_SINGLE_ROWS_H_

#include <functional>

#include "absl/status/statusor.h"
#include "core/model/probe.h"

namespace saliency {

// `run` gets requests of one image and one row.  The result is as if the
// request had run in one pass; the times add up.  The first error ends it.
absl::StatusOr<ProbeResult> RunRowByRow(
    const ProbeRequest& request,
    const std::function<absl::StatusOr<ProbeResult>(const ProbeRequest&)>& run);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_META_SINGLE_ROWS_H_
