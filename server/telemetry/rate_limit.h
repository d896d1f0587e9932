// How often something may happen: a bucket of tokens that fills at a steady
// rate.
// Value type; thread-compatible.

#ifndef SALIENCY_SERVER_TELEMETRY_RATE_LIMIT_H_
#define SALIENCY_SERVER_TELEMETRY_RATE_LIMIT_H_

#include <algorithm>

#include "absl/time/time.h"

namespace saliency {

class RateLimit {
 public:
  // `per_second` events a second on average, `burst` at once; both > 0.
  RateLimit(double per_second, double burst)
      : per_second_(per_second), burst_(burst), tokens_(burst) {}

  // Whether one more may happen `now`; if so it counts.
  bool Take(absl::Time now) {
    if (now > filled_at_) {
      tokens_ =
          std::min(burst_, tokens_ + absl::ToDoubleSeconds(now - filled_at_) *
                                         per_second_);
      filled_at_ = now;
    }
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }

 private:
  double per_second_;
  double burst_;
  double tokens_;
  absl::Time filled_at_ = absl::InfinitePast();
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_TELEMETRY_RATE_LIMIT_H_
