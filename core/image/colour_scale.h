// What the colours of a map mean: which raw values its numbers stand for, and
// where on a colour map these lie.  The server's images and the client's
// sheets are drawn by it alike.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_IMAGE_COLOUR_SCALE_H_
#define SALIENCY_CORE_IMAGE_COLOUR_SCALE_H_

namespace saliency {

// The values of a map before it is normalised, inside what the model saw.
struct RawRange {
  double min = 0;
  double max = 1;
  // Values below 0 speak against the class: 0 is neutral.
  bool is_signed = false;
  bool constant = false;  // says nothing; nothing is drawn
};

// A map value v stands for the raw value at_zero + v (at_one - at_zero).
// Unsigned maps go from `low`, where nothing is drawn, to `high`.  Signed ones
// diverge: nothing is drawn at 0, and the larger magnitude of `low` and `high`
// is at both ends.
struct ColourScale {
  double at_zero = 0;
  double at_one = 1;
  double low = 0;
  double high = 1;
  bool is_signed = false;

  // The largest magnitude, of a signed map.
  double limit() const;
};

// Of a map that was normalised to [0,1].
ColourScale NormalisedScale(const RawRange& range);
// Of a map as it is: unsigned colours begin at 0.
ColourScale RawScale(const RawRange& range);
// Of a map as it is: unsigned colours begin at its smallest value.
ColourScale FullScale(const RawRange& range);

// From a map value to its place on the colours, in [-1,1] for signed maps and
// in [0,1] for others; 0 where nothing is drawn: offset + factor v.
struct ColourPlace {
  float factor = 0;
  float offset = 0;
  float least = 0;  // -1 or 0; what lies below is drawn as this
};
ColourPlace PlaceOn(const ColourScale& scale);

}  // namespace saliency

#endif  // SALIENCY_CORE_IMAGE_COLOUR_SCALE_H_
