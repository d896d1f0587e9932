// Asks about images, several at once or on a stream, and reports in the order
// given: what `explain`, `combine` and `meta` have in common.

#ifndef SALIENCY_CLIENT_ASK_IMAGES_H_
#define SALIENCY_CLIENT_ASK_IMAGES_H_

#include "client/cli/console.h"
#include "client/cli/explain_flags.h"
#include "saliency/v1/saliency_service.pb.h"

namespace saliency {

// Connects, asks `request`, which lacks the image, about each image of the
// plan, saves what the plan wants and reports.
ExitCode RunImages(const ExplainPlan& plan, const ExplainFlags& flags,
                   const v1::ComputeSaliencyRequest& request, Console& console);
ExitCode RunImages(const ExplainPlan& plan, const ExplainFlags& flags,
                   const v1::CombineLayersRequest& request, Console& console);
ExitCode RunImages(const ExplainPlan& plan, const ExplainFlags& flags,
                   const v1::MetaSaliencyRequest& request, Console& console);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_ASK_IMAGES_H_
