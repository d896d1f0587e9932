// A finished map in the wire form that was asked for.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_ENGINE_ENCODE_MAP_H_
#define SALIENCY_CORE_ENGINE_ENCODE_MAP_H_

#include <string>

#include "absl/status/statusor.h"
#include "core/engine/finished_map.h"
#include "core/engine/job.h"
#include "core/image/picture.h"

namespace saliency {

struct EncodeContext {
  const FinishedMap& map;
  bool is_signed = false;            // the method's raw maps may be negative
  const Picture* picture = nullptr;  // for overlays
  std::string title;                 // for overlays; empty: none
};

// Colours need [0,1]: a normalised map has it; a raw one is divided by its
// largest magnitude, a signed raw one centred on 0.5 besides, where coolwarm
// (the default then) is neutral.
// REQUIRES: the map is finite; a picture for kOverlayPng.
absl::StatusOr<std::string> EncodeMap(const EncodeContext& context,
                                      const OutputOptions& output);

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_ENCODE_MAP_H_
