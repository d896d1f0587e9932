#include "client/cli/evaluate/plot_file.h"

#include "core/base/atomic_file.h"
#include "core/base/status.h"
#include "core/image/render.h"

namespace saliency {

absl::Status WriteLinePlot(absl::Span<const PlotSeries> series,
                           const PlotOptions& options,
                           const std::string& path) {
  ASSIGN_OR_RETURN(const Image image, LinePlot(series, options));
  ASSIGN_OR_RETURN(const std::string png, EncodePng(image));
  return WriteFileAtomically(path, png);
}

}  // namespace saliency
