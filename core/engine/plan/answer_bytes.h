// How many bytes an answer may have: what its caller can receive.  A message
// above it would be thrown away by the caller's own gRPC, with the work.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_ENGINE_PLAN_ANSWER_BYTES_H_
#define SALIENCY_CORE_ENGINE_PLAN_ANSWER_BYTES_H_

#include <cstdint>

#include "absl/status/status.h"
#include "core/engine/engine_limits.h"
#include "core/engine/job.h"

namespace saliency {

// What the job says, or else the server's limit.
int64_t AnswerLimit(const OutputOptions& output, const EngineLimits& limits);

// Errors: INVALID_ARGUMENT an answer of `bytes` above the limit, with both
//   numbers and what to ask for instead.
absl::Status CheckAnswerBytes(int64_t bytes, const OutputOptions& output,
                              const EngineLimits& limits);

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_PLAN_ANSWER_BYTES_H_
