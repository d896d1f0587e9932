// Line plots of a measure against the depth of a network, as the paper's
// Figs. 3, 6, 7 and 9 show them.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_IMAGE_LINE_PLOT_H_
#define SALIENCY_CORE_IMAGE_LINE_PLOT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/image/image.h"

namespace saliency {

struct PlotSeries {
  std::string name;
  // One value for each place on the horizontal axis; NaN: none there, the line
  // is broken.
  std::vector<double> values;
  std::vector<double> errors;  // half length of each bar; empty: no bars
  bool dashed = false;         // for baselines
};

struct PlotOptions {
  std::string title;
  std::string y_title;
  std::vector<std::string> x_labels;  // at least one, shallow to deep
  // Range of the vertical axis; equal: what the values need, rounded.
  double y_min = 0;
  double y_max = 0;
  int64_t width = 900;   // in [320, 4096], legend included
  int64_t height = 520;  // in [240, 4096]
};

// Errors: INVALID_ARGUMENT no series or labels, a series with another number of
//   values than labels, no value at all, or a size out of range.
absl::StatusOr<Image> LinePlot(absl::Span<const PlotSeries> series,
                               const PlotOptions& options);

}  // namespace saliency

#endif  // SALIENCY_CORE_IMAGE_LINE_PLOT_H_
