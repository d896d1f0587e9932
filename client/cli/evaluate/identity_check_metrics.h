// What an identity check measures: how alike the maps with a virtual identity
// behind a convolution and those of the convolution itself are, and where each
// points.
// Thread-compatible.
//
// Source: Rebuffi et al., CVPR 2020, arXiv:2004.02866, sec. 4.1, Table 4.

#ifndef SALIENCY_CLIENT_CLI_EVALUATE_IDENTITY_CHECK_METRICS_H_
#define SALIENCY_CLIENT_CLI_EVALUATE_IDENTITY_CHECK_METRICS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/evaluate/pointing_metrics.h"
#include "core/base/correlation_summary.h"

namespace saliency {

// The two methods that are compared, at a convolution's output.
inline constexpr char kIdentityMethod[] = "norm_grad";
inline constexpr char kRealConvMethod[] = "norm_grad_real_conv";

// One layer of one image, for one class.
struct IdentityMeasurement {
  struct Hits {
    bool identity = false;
    bool real_conv = false;
  };
  std::string image;
  std::string category;               // the class explained
  bool difficult = false;             // of the "difficult" subset
  std::string layer;                  // a convolution
  std::optional<double> correlation;  // none: undefined
  std::optional<Hits> hits;           // none: there are no boxes
};

// A measurement as a row of a journal, and back.
const std::vector<std::string>& IdentityColumns();
std::vector<std::string> IdentityRow(const IdentityMeasurement& measured);
// Errors: INVALID_ARGUMENT another number of fields, or one that is no number.
absl::StatusOr<IdentityMeasurement> ParseIdentityRow(
    const std::vector<std::string>& row);

class IdentityMetrics {
 public:
  // The same image, category and layer again replaces the former.
  void Add(const IdentityMeasurement& measured);

  // In the order in which they first came.
  const std::vector<std::string>& layers() const { return layers_; }
  int64_t images() const { return static_cast<int64_t>(images_.size()); }

  // Over images and categories.  REQUIRES: one of layers().
  CorrelationSummary Correlation(const std::string& layer) const;

  // None where no trial was played.  `method` is one of the two.
  std::optional<PointingAccuracy> Accuracy(const std::string& layer,
                                           const std::string& method,
                                           PointingSubset subset) const {
    return trials_.Accuracy(layer, method, subset);
  }
  // Accuracy with the identity less that without.
  std::optional<Measured> Difference(const std::string& layer,
                                     PointingSubset subset) const {
    return trials_.Gain(layer, kIdentityMethod, kRealConvMethod, subset);
  }
  // Mean and standard deviation of the differences over the layers.
  std::optional<CorrelationSummary> Differences(PointingSubset subset) const;

 private:
  using Pair = std::pair<std::string, std::string>;  // image, category

  std::map<std::string, std::map<Pair, std::optional<double>>> correlations_;
  PointingMetrics trials_;  // of a method named after the layer, at two places
  std::vector<std::string> layers_;
  std::set<std::string> images_;
};

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_EVALUATE_IDENTITY_CHECK_METRICS_H_
