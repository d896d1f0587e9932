#include "core/image/colour_scale.h"

#include <algorithm>
#include <cmath>

namespace saliency {
namespace {

// `low` and `high` meet where there is nothing to draw.
ColourScale ScaleFrom(double low, const RawRange& range) {
  return {.low = range.constant ? range.max : low,
          .high = range.max,
          .is_signed = range.is_signed};
}

}  // namespace

double ColourScale::limit() const {
  return std::max(std::abs(low), std::abs(high));
}

ColourScale FullScale(const RawRange& range) {
  return ScaleFrom(range.min, range);
}

ColourScale RawScale(const RawRange& range) {
  return ScaleFrom(range.is_signed ? range.min : 0, range);
}

ColourScale NormalisedScale(const RawRange& range) {
  ColourScale scale = FullScale(range);
  scale.at_zero = range.min;
  scale.at_one = range.max;
  return scale;
}

ColourPlace PlaceOn(const ColourScale& scale) {
  const double zero = scale.is_signed ? 0 : scale.low;
  const double span = scale.is_signed ? scale.limit() : scale.high - scale.low;
  if (!(scale.high > scale.low) || !(span > 0)) return {};
  return {.factor = static_cast<float>((scale.at_one - scale.at_zero) / span),
          .offset = static_cast<float>((scale.at_zero - zero) / span),
          .least = scale.is_signed ? -1.0F : 0.0F};
}

}  // namespace saliency
