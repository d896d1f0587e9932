// A finished map in the wire form that was asked for.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_ENGINE_FINISH_ENCODE_MAP_H_
#define SALIENCY_CORE_ENGINE_FINISH_ENCODE_MAP_H_

#include <string>

#include "absl/status/statusor.h"
#include "core/engine/finish/finished_map.h"
#include "core/engine/job.h"
#include "core/image/colour_scale.h"
#include "core/image/image.h"

namespace saliency {

struct EncodeContext {
  const FinishedMap& map;
  ColourScale scale;             // what the map's values mean in colours
  const Image* image = nullptr;  // for overlays
  std::string title;             // for overlays; empty: none
};

// Of a map and what its summary says, for its colours.  Values below 0 make it
// a signed one, whatever its method's are said to be.
RawRange RangeOf(const MapSummary& summary, bool is_signed);

// REQUIRES: the map is finite; an image of its size for overlays.
absl::StatusOr<std::string> EncodeMap(const EncodeContext& context,
                                      const OutputOptions& output);

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_FINISH_ENCODE_MAP_H_
