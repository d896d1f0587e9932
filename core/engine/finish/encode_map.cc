#include "core/engine/finish/encode_map.h"

#include <ATen/ATen.h>

#include <cstddef>

#include "core/base/status.h"
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

MapColours ColoursOf(const EncodeContext& context,
                     const OutputOptions& output) {
  return {.colour_map = output.colour_map,
          .scale = context.scale,
          .region = context.map.region};
}

absl::StatusOr<std::string> EncodeOverlay(const EncodeContext& context,
                                          const OutputOptions& output,
                                          ImageCoding coding) {
  ASSIGN_OR_RETURN(const Image overlay,
                   Overlay(*context.image, View(context.map.values),
                           {.colours = ColoursOf(context, output),
                            .opacity = output.overlay_opacity,
                            .title = output.overlay_title ? context.title : "",
                            .colour_bar = output.overlay_colour_bar}));
  return EncodeImage(overlay, coding);
}

}  // namespace

RawRange RangeOf(const MapSummary& summary, bool is_signed) {
  return {.min = summary.raw_min,
          .max = summary.raw_max,
          .is_signed = is_signed || summary.raw_min < 0,
          .constant = summary.constant};
}

absl::StatusOr<std::string> EncodeMap(const EncodeContext& context,
                                      const OutputOptions& output) {
  switch (output.encoding) {
    case MapEncoding::kNone:
      return std::string();
    case MapEncoding::kFloat32:
      return EncodeFloat32(View(context.map.values));
    case MapEncoding::kPng16:
      return EncodePng16(View(context.map.values));
    case MapEncoding::kColourPng:
      return EncodeColourPng(View(context.map.values),
                             ColoursOf(context, output));
    case MapEncoding::kOverlayPng:
      return EncodeOverlay(context, output, ImageCoding::kPng);
    case MapEncoding::kOverlayJpeg:
      return EncodeOverlay(context, output, ImageCoding::kJpeg);
    case MapEncoding::kOverlayWebp:
      return EncodeOverlay(context, output, ImageCoding::kWebp);
  }
  return absl::InternalError("an encoding that the engine does not know");
}

}  // namespace saliency
