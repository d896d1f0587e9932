// What `saliency bench` says about a run.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CLIENT_CLI_LOAD_SUMMARY_H_
#define SALIENCY_CLIENT_CLI_LOAD_SUMMARY_H_

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "client/cli/load_run.h"

namespace saliency {

// The smallest of `sorted` that at least `fraction` of all do not exceed
// (nearest rank).
// REQUIRES: sorted is ascending and not empty; fraction in (0, 1].
absl::Duration Percentile(absl::Span<const absl::Duration> sorted,
                          double fraction);

// For people, a few lines with a line break at each end:
//
//   closed loop, 16 callers: 812 answered in 10.1s, 80.4/s
//   latency: p50 195 ms, p90 231 ms, p99 260 ms, max 304 ms
//   requests per batch: 8.6
//   errors: RESOURCE_EXHAUSTED 12 ("queue full: ...")
std::string LoadText(const LoadOptions& options, const LoadResult& result);

// The same as one JSON object without line breaks.
std::string LoadJson(const LoadOptions& options, const LoadResult& result);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_LOAD_SUMMARY_H_
