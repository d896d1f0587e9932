// A line plot as a PNG file.
// Safe from several threads for different files.

#ifndef SALIENCY_CLIENT_CLI_EVALUATE_PLOT_FILE_H_
#define SALIENCY_CLIENT_CLI_EVALUATE_PLOT_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "core/image/line_plot.h"

namespace saliency {

// Errors: as LinePlot and WriteFileAtomically.
absl::Status WriteLinePlot(absl::Span<const PlotSeries> series,
                           const PlotOptions& options, const std::string& path);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_EVALUATE_PLOT_FILE_H_
