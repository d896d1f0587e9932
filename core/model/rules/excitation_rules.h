// Excitation backprop and its contrast: probabilities go back from the
// explained unit, each to the inputs that speak for it.
//
// Source: Zhang, Lin, Brandt, Shen, Sclaroff 2016, arXiv:1608.00507, eq. 5 to
// 10.  Sums of activations split as their values do; batch norms and scalings
// pass on what they get; average pools are linear layers.
//
// Internal to the model room.  Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_MODEL_RULES_EXCITATION_RULES_H_
#define SALIENCY_CORE_MODEL_RULES_EXCITATION_RULES_H_

#include "core/attribution/backward_rule.h"
#include "core/model/rules/node_view.h"

namespace saliency {

// `is_last`: the contrast is taken at this operator's weights.  What the rule
// has nothing to say of is refused.
Treatment TreatByExcitation(const BackwardRule& rule, const NodeView& node,
                            bool is_last);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_RULES_EXCITATION_RULES_H_
