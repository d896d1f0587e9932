// layer_weights.pbtxt.

#include <cmath>
#include <cstdint>
#include <string>

#include "server/convert/layer_weights_text.h"
#include "tests/fuzz/require.h"

namespace saliency {
namespace {

void ParseOne(const std::string& text) {
  const absl::StatusOr<LayerWeights> weights = ParseLayerWeightsText(text);
  if (!weights.ok()) return RequireRefusal(weights.status());
  Require(!weights->layers.empty(), "weights are of some layers");
  const std::string written = LayerWeightsText(*weights);
  const absl::StatusOr<LayerWeights> again = ParseLayerWeightsText(written);
  Require(again.ok() && again->layers.size() == weights->layers.size(),
          "what is written can be read");
  Require(LayerWeightsText(*again) == written, "and says the same");
}

}  // namespace
}  // namespace saliency

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  saliency::ParseOne({reinterpret_cast<const char*>(data), size});
  return 0;
}
