// The server's default limits of one request (core/engine/engine_limits.h), by
// which evaluations part their questions; a server that allows less says so.

#ifndef SALIENCY_CLIENT_DEFAULT_LIMITS_H_
#define SALIENCY_CLIENT_DEFAULT_LIMITS_H_

#include <cstdint>

namespace saliency {

inline constexpr int64_t kMaxCombinations = 64;  // of attributions too
inline constexpr int64_t kMaxLayers = 512;       // summed
// Maps x pixels of the answer.  A map without pixels in the answer counts like
// any other: it is made at its size all the same.
inline constexpr int64_t kMaxMapPixels = int64_t{128} << 20;

}  // namespace saliency

#endif  // SALIENCY_CLIENT_DEFAULT_LIMITS_H_
