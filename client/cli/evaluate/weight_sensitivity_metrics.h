// Correlations of maps with those of the model as it is while more and more of
// its weights are random, and their means over a set of images.
// Thread-compatible.
//
// Source: Rebuffi et al., CVPR 2020, arXiv:2004.02866, sec. 4.5, Figs. 8, 13.

#ifndef SALIENCY_CLIENT_CLI_EVALUATE_WEIGHT_SENSITIVITY_METRICS_H_
#define SALIENCY_CLIENT_CLI_EVALUATE_WEIGHT_SENSITIVITY_METRICS_H_

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

// One map of one image at one stage.
struct StageCorrelation {
  std::string image;
  int64_t target = 0;  // which of the targets asked for
  std::string method;
  std::string layer;
  int64_t stage = 0;   // 0: the model as it is
  std::string module;  // made random at this stage; empty for stage 0
  std::optional<double> correlation;           // none: undefined
  std::optional<double> absolute_correlation;  // of the absolute values
};

// A measurement as a row of a journal, and back.
const std::vector<std::string>& WeightSensitivityColumns();
std::vector<std::string> WeightSensitivityRow(const StageCorrelation& measured);
// Errors: INVALID_ARGUMENT another number of fields, or one that is no number.
absl::StatusOr<StageCorrelation> ParseWeightSensitivityRow(
    const std::vector<std::string>& row);

// A method at a layer: "norm_grad @ layer4".
std::string CurveName(const std::string& method, const std::string& layer);

enum class MapValues { kSigned, kAbsolute };

class WeightSensitivityMetrics {
 public:
  // The same image, target, curve and stage again replaces the former.
  void Add(const StageCorrelation& measured);

  // CurveName of all methods and layers, in the order in which they came.
  const std::vector<std::string>& curves() const { return curves_; }
  // By stage: "as it is", then the modules.
  const std::vector<std::string>& stages() const { return stages_; }
  int64_t images() const { return static_cast<int64_t>(images_.size()); }

  // Over images and targets; none where nothing was measured.
  std::optional<CorrelationSummary> Of(const std::string& curve, int64_t stage,
                                       MapValues values) const;

 private:
  using Key = std::tuple<std::string, int64_t, MapValues>;
  // By image and target, so that sums do not depend on their order.
  std::map<Key,
           std::map<std::pair<std::string, int64_t>, std::optional<double>>>
      correlations_;
  std::vector<std::string> curves_;
  std::vector<std::string> stages_;
  std::set<std::string> images_;
};

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_EVALUATE_WEIGHT_SENSITIVITY_METRICS_H_
