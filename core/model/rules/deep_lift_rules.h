// DeepLIFT, rescale rule: what goes back is the multiplier m between the
// difference of an activation from its reference and that of the score, so that
// the sum of m (x - x') over any layer that all paths cross is the score's
// difference.
//
// Source: Shrikumar, Greenside, Kundaje 2017, arXiv:1704.02685,
// sec. 3.2, 3.5.1; max pools as in Captum (the larger of both maxima parts the
// difference between the two places that it stands at); of a product of two
// activations each has the other's mean for its multiplier, which conserves.
//
// Internal to the model room.  Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_MODEL_RULES_DEEP_LIFT_RULES_H_
#define SALIENCY_CORE_MODEL_RULES_DEEP_LIFT_RULES_H_

#include "core/attribution/backward_rule.h"
#include "core/model/rules/node_view.h"

namespace saliency {

// What the rule has nothing to say of is refused: softmax, layer norms,
// quotients, pools that are not max_pool2d.
Treatment TreatByDeepLift(const BackwardRule& rule, const NodeView& node);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_RULES_DEEP_LIFT_RULES_H_
