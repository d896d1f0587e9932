#include "core/model/expand_rows_cost.h"

#include <algorithm>
#include <cmath>

namespace saliency {
namespace {

constexpr size_t kMaxEntries = 1024;  // probe sets are the callers' choice
constexpr int64_t kRetryEvery = 256;

}  // namespace

ExpandRowsCost::Key ExpandRowsCost::MakeKey(const std::string& probes,
                                            double targets) {
  return {probes, static_cast<int>(std::ceil(std::log2(targets)))};
}

ExpandRows ExpandRowsCost::Choose(const std::string& probes, double targets) {
  if (measured_.size() > kMaxEntries) measured_.clear();
  Measured& measured = measured_[MakeKey(probes, targets)];
  const auto& [repeat, retain] = measured.seconds_per_row;
  if (repeat < 0) return ExpandRows::kRepeatRows;
  if (retain < 0) return ExpandRows::kRetainGraph;
  const bool retry = ++measured.uses % kRetryEvery == 0;
  return (repeat <= retain) != retry ? ExpandRows::kRepeatRows
                                     : ExpandRows::kRetainGraph;
}

void ExpandRowsCost::Record(const std::string& probes, double targets,
                            ExpandRows how, int64_t rows, absl::Duration took) {
  double& known = measured_[MakeKey(probes, targets)]
                      .seconds_per_row[static_cast<size_t>(how)];
  const double seconds =
      absl::ToDoubleSeconds(took) / static_cast<double>(rows);
  // The first run of anything is slow: the smaller of the first two counts.
  known =
      known < 0 ? seconds : std::min(seconds, 0.75 * known + 0.25 * seconds);
}

}  // namespace saliency
