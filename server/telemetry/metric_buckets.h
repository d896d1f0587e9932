// The bucket bounds that the server's histograms share.
// Pure functions; safe from any thread.

#ifndef SALIENCY_SERVER_TELEMETRY_METRIC_BUCKETS_H_
#define SALIENCY_SERVER_TELEMETRY_METRIC_BUCKETS_H_

#include "prometheus/histogram.h"

namespace saliency {

// From a decode of 1 ms to a long answer, in steps of 2 to 2.5.
inline prometheus::Histogram::BucketBoundaries SecondsBuckets() {
  return {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
          0.5,   1,      2.5,   5,    10,    30,   60,  120};
}

// Rows and requests of a batch.
inline prometheus::Histogram::BucketBoundaries CountBuckets() {
  return {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024};
}

}  // namespace saliency

#endif  // SALIENCY_SERVER_TELEMETRY_METRIC_BUCKETS_H_
