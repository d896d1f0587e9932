// Runs a batch, and when it fails, its halves, until only the culprits fail.
// Thread-compatible: called on the explainer's thread.

#ifndef SALIENCY_CORE_ENGINE_RUN_BISECT_H_
#define SALIENCY_CORE_ENGINE_RUN_BISECT_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "core/engine/explainer.h"

namespace saliency {

struct BisectedItem {
  absl::StatusOr<PassAnswer> answer = absl::UnavailableError("not run");
  std::string detail;  // a library's words about an INTERNAL error, for the log
};

struct BisectedBatch {
  std::vector<BisectedItem> items;  // one per item, in order
  absl::Duration forward_time;      // summed over the attempts that succeeded
  absl::Duration backward_time;
  absl::Duration aggregate_time;
  int out_of_memory_retries = 0;
  int out_of_memory_refusals = 0;  // items too large even alone
  absl::Status device_lost;        // not OK: every item not done holds it
};

// An exception of the explainer becomes INTERNAL.  UNAVAILABLE (the device is
// lost) and CANCELLED end the whole batch, since no half would fare better.
// What does not fit the device even alone gets TooLargeError.
BisectedBatch ExplainBisecting(Explainer& explainer,
                               absl::Span<const PassItem* const> items);

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_RUN_BISECT_H_
