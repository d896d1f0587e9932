// Tells a caller whose time is up from one who has changed its mind: both only
// leave.
// Pure function; safe from any thread.

#ifndef SALIENCY_CORE_BASE_DEADLINE_H_
#define SALIENCY_CORE_BASE_DEADLINE_H_

#include <algorithm>

#include "absl/time/time.h"

namespace saliency {

// Whether a caller that came at `arrived` and leaves `now` does so because of
// its deadline.  The server learns of a deadline by the time that is left,
// which gRPC rounds up to two or three digits, and counts it from when it hears
// of it: the caller's own clock ends the call up to a hundredth and some
// milliseconds earlier than ours would.
inline bool LeftByDeadline(absl::Time arrived, absl::Time now,
                           absl::Time deadline) {
  if (deadline == absl::InfiniteFuture()) return false;
  const absl::Duration whole = deadline - arrived;
  const absl::Duration early =
      std::min(whole / 4, std::max(absl::Milliseconds(20), whole / 100));
  return now >= deadline - early;
}

}  // namespace saliency

#endif  // SALIENCY_CORE_BASE_DEADLINE_H_
