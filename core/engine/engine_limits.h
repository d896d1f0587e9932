// What one request may ask for and how much may wait: the documented defaults.
// Value types; thread-compatible.

#ifndef SALIENCY_CORE_ENGINE_ENGINE_LIMITS_H_
#define SALIENCY_CORE_ENGINE_ENGINE_LIMITS_H_

#include <cstdint>

#include "core/image/image.h"

namespace saliency {

struct EngineLimits {
  // Admitted and waiting to be decoded, to get into a pass or to be rendered,
  // in total.
  int64_t queue_items = 256;
  // Inputs, images, raw maps and answers held, in total, until the answers
  // have left.
  int64_t queue_bytes = int64_t{1} << 30;
  // How much of both one caller may have, as a fraction; in (0, 1].
  double caller_share = 0.5;
  // Of what runs on the CPU pool at a time (scratch_gate.h).
  int64_t scratch_bytes = int64_t{512} << 20;
  DecodeLimits decode;
  int max_targets = 64;
  int64_t max_rows = 1024;  // images x targets of one request
  // Images x targets x samples of one request, all attributions together.
  int64_t max_sampled_rows = int64_t{1} << 16;
  int max_attributions = 64;
  int max_layers = 512;                         // of one request, summed
  int64_t max_map_pixels = int64_t{128} << 20;  // maps x pixels of one answer
  int64_t max_output_pixels = 40'000'000;       // of one map
  int64_t max_work = int64_t{1} << 30;          // of one request: JobCost::work
  // Of one answer where the caller does not say what it can receive: gRPC's
  // clients take 4 MiB unless told otherwise.
  int64_t max_answer_bytes = (4 << 20) - (64 << 10);
};

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_ENGINE_LIMITS_H_
