// Deconvnet and guided backpropagation: the rules that change what goes back
// through a ReLU.
//
// Sources: Zeiler and Fergus 2014, arXiv:1311.2901, sec. 2.1; Springenberg,
// Dosovitskiy, Brox, Riedmiller 2015, arXiv:1412.6806, sec. 3.4 and Fig. 1.
//
// Internal to the model room.  Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_MODEL_RULES_RELU_RULES_H_
#define SALIENCY_CORE_MODEL_RULES_RELU_RULES_H_

#include "core/attribution/backward_rule.h"
#include "core/model/rules/node_view.h"

namespace saliency {

// ReLU, and clamping from below at 0, are covered; so are ReLU6 and its like,
// where what is cut off at the top keeps its derivative of zero, and leaky
// ReLU.  Other activations are refused unless the rule allows them; all other
// operators keep their derivative.
Treatment TreatByReluRule(const BackwardRule& rule, const NodeView& node);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_RULES_RELU_RULES_H_
