// What a server's /metrics page says, as numbers.
// Value type; thread-compatible.

#ifndef SALIENCY_TESTS_END_TO_END_METRICS_PAGE_H_
#define SALIENCY_TESTS_END_TO_END_METRICS_PAGE_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace saliency {

using MetricLabels = std::map<std::string, std::string>;

struct MetricSample {
  std::string name;  // of a histogram: with _bucket, _sum or _count
  MetricLabels labels;
  double value = 0;
};

class MetricsPage {
 public:
  // Reads http://<address>/metrics.
  // Errors: UNAVAILABLE nobody listens there; INTERNAL another answer than a
  //   page of metrics.
  static absl::StatusOr<MetricsPage> Fetch(const std::string& address);

  const std::vector<MetricSample>& samples() const { return samples_; }
  // Summed over the series that carry `labels`; 0 when there is none.
  double Sum(absl::string_view name, const MetricLabels& labels = {}) const;

 private:
  std::vector<MetricSample> samples_;
};

}  // namespace saliency

#endif  // SALIENCY_TESTS_END_TO_END_METRICS_PAGE_H_
