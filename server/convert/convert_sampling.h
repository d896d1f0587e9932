// Methods that run variations of the input out of the API's messages.
// Pure functions; safe from any thread.

#ifndef SALIENCY_SERVER_CONVERT_CONVERT_SAMPLING_H_
#define SALIENCY_SERVER_CONVERT_CONVERT_SAMPLING_H_

#include <optional>

#include "core/attribution/attribution.h"
#include "core/base/violations.h"
#include "saliency/v1/explanation.pb.h"

namespace saliency {

// Nothing for a message of another kind.  Finds what is INVALID_ARGUMENT: a
// parameter out of its range, an enum value that is not known, a base that
// samples itself or has layers of its own.
std::optional<Attribution> SampledFromProto(const v1::Attribution& attribution,
                                            Violations& found);

}  // namespace saliency

#endif  // SALIENCY_SERVER_CONVERT_CONVERT_SAMPLING_H_
