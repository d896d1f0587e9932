// Seeded choices that do not depend on the order in which things are looked at:
// each thing gets a random key by its number, and the smallest keys win.
// Pure function; safe from any thread.
//
// Source of the mixing: Steele, Lea, Flood, "Fast splittable pseudorandom
// number generators", OOPSLA 2014 (splitmix64).

#ifndef SALIENCY_CORE_ATTRIBUTION_RANDOM_KEY_H_
#define SALIENCY_CORE_ATTRIBUTION_RANDOM_KEY_H_

#include <cstdint>

namespace saliency {

// Uniform over all 64-bit numbers; other arguments give an unrelated key.
inline uint64_t RandomKey(uint64_t seed, uint64_t stream, uint64_t number) {
  const auto mix = [](uint64_t x) {
    x += 0x9E3779B97F4A7C15U;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
    return x ^ (x >> 31);
  };
  return mix(mix(mix(seed) + stream) + number);
}

}  // namespace saliency

#endif  // SALIENCY_CORE_ATTRIBUTION_RANDOM_KEY_H_
