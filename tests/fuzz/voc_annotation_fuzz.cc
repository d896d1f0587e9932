// The XML beside an image of a VOC-style folder.

#include <cstdint>

#include "client/cli/evaluate/voc_folder.h"
#include "tests/fuzz/require.h"

namespace saliency {
namespace {

void ParseOne(absl::string_view xml) {
  const absl::StatusOr<VocAnnotation> annotation = ParseVocAnnotation(xml);
  if (!annotation.ok()) return RequireRefusal(annotation.status());
  Require(annotation->height >= 1 && annotation->width >= 1,
          "an image has a size");
  for (const VocObject& object : annotation->objects) {
    Require(!object.category.empty(), "objects have names");
    const PixelRect& box = object.box;
    Require(box.y >= 0 && box.x >= 0 && box.height >= 1 && box.width >= 1,
            "boxes hold a pixel");
    Require(box.y + box.height <= annotation->height &&
                box.x + box.width <= annotation->width,
            "boxes are cut to the image");
  }
  size_t grouped = 0;
  for (const auto& [category, boxes] : GroupByCategory(*annotation)) {
    grouped += boxes.boxes.size();
  }
  Require(grouped == annotation->objects.size(), "each box has its category");
}

}  // namespace
}  // namespace saliency

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  saliency::ParseOne({reinterpret_cast<const char*>(data), size});
  return 0;
}
