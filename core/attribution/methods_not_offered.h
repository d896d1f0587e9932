// Methods of the field that are not offered: whoever asks for one by its name
// is told what stands nearest instead of a list of names. Pure function; safe
// from any thread.

#ifndef SALIENCY_CORE_ATTRIBUTION_METHODS_NOT_OFFERED_H_
#define SALIENCY_CORE_ATTRIBUTION_METHODS_NOT_OFFERED_H_

#include "absl/strings/string_view.h"

namespace saliency {

// One sentence about the method that `folded_name` (see FoldedName) means, or
// nothing for a name that means none.
absl::string_view WhyNotOffered(absl::string_view folded_name);

}  // namespace saliency

#endif  // SALIENCY_CORE_ATTRIBUTION_METHODS_NOT_OFFERED_H_
