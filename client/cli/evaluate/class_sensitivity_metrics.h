// Correlations between the maps of the most and the least likely class, and
// their means over a data set.
// Thread-compatible.
//
// Source: Rebuffi et al., CVPR 2020, arXiv:2004.02866, sec. 4.3, Figs. 6, 7.

#ifndef SALIENCY_CLIENT_CLI_EVALUATE_CLASS_SENSITIVITY_METRICS_H_
#define SALIENCY_CLIENT_CLI_EVALUATE_CLASS_SENSITIVITY_METRICS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/correlation_summary.h"

namespace saliency {

// One measurement of one image.
struct ClassCorrelation {
  std::string image;
  std::string method;
  std::string place;      // a layer, or "uniform+sum" for a combination
  bool combined = false;  // which of the two
  bool meta = false;      // after a meta step
  int64_t most_likely = 0;
  int64_t least_likely = 0;
  std::optional<double> correlation;  // none: undefined
};

// A measurement as a row of a journal, and back.
const std::vector<std::string>& ClassSensitivityColumns();
std::vector<std::string> ClassSensitivityRow(const ClassCorrelation& measured);
// Errors: INVALID_ARGUMENT another number of fields, or one that is no number.
absl::StatusOr<ClassCorrelation> ParseClassSensitivityRow(
    const std::vector<std::string>& row);

class ClassSensitivityMetrics {
 public:
  // The same image, method, place and step again replaces the former.
  void Add(const ClassCorrelation& measured);

  // In the order in which they first came.
  const std::vector<std::string>& methods() const { return methods_; }
  const std::vector<std::string>& layers() const { return layers_; }
  const std::vector<std::string>& combinations() const { return combinations_; }
  int64_t images() const { return static_cast<int64_t>(images_.size()); }
  // Whether anything was measured after (without) a meta step.
  bool Has(bool meta) const { return steps_.contains(meta); }

  // None where nothing was measured.
  std::optional<CorrelationSummary> Of(const std::string& method,
                                       const std::string& place,
                                       bool meta) const;

 private:
  using Key = std::tuple<std::string, std::string, bool>;
  // By image, so that sums do not depend on the order of the images.
  std::map<Key, std::map<std::string, std::optional<double>>> correlations_;
  std::vector<std::string> methods_;
  std::vector<std::string> layers_;
  std::vector<std::string> combinations_;
  std::set<std::string> images_;
  std::set<bool> steps_;
};

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_EVALUATE_CLASS_SENSITIVITY_METRICS_H_
