#include "core/engine/encode_map.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "core/image/render.h"

namespace saliency {
namespace {

MapView View(const at::Tensor& values) {
  return {
      .height = values.size(0),
      .width = values.size(1),
      .values = absl::MakeConstSpan(values.data_ptr<float>(),
                                    static_cast<std::size_t>(values.numel()))};
}

bool Diverges(const EncodeContext& context, const OutputOptions& output) {
  return context.is_signed && !output.normalise;
}

// The map in [0,1], as colours want it.
at::Tensor Displayed(const EncodeContext& context,
                     const OutputOptions& output) {
  const at::Tensor& values = context.map.values;
  if (output.normalise) return values;
  const float largest = std::max(std::fabs(context.map.summary.raw_min),
                                 std::fabs(context.map.summary.raw_max));
  // A map of zeros shows as the neutral colour.
  const at::Tensor scaled =
      largest > 0 ? values / largest : at::zeros_like(values);
  return Diverges(context, output) ? scaled * 0.5 + 0.5 : scaled;
}

std::string ColourMap(const EncodeContext& context,
                      const OutputOptions& output) {
  if (output.colour_map.empty() && Diverges(context, output)) return "coolwarm";
  return output.colour_map;
}

}  // namespace

absl::StatusOr<std::string> EncodeMap(const EncodeContext& context,
                                      const OutputOptions& output) {
  switch (output.encoding) {
    case MapEncoding::kNone:
      return std::string();
    case MapEncoding::kFloat32:
      return EncodeFloat32(View(context.map.values));
    case MapEncoding::kPng16:
      return EncodePng16(View(context.map.values));
    case MapEncoding::kColourPng: {
      const at::Tensor shown = Displayed(context, output);
      return EncodeColourPng(View(shown), ColourMap(context, output));
    }
    case MapEncoding::kOverlayPng: {
      const at::Tensor shown = Displayed(context, output);
      return EncodeOverlayPng(*context.picture, View(shown),
                              {.colour_map = ColourMap(context, output),
                               .opacity = output.overlay_opacity,
                               .title = context.title});
    }
  }
  return absl::InternalError("an encoding that the engine does not know");
}

}  // namespace saliency
