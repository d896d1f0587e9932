// Layer-wise relevance propagation.  What goes back is m = R / x, so that
// operators that only move or add up activations, and batch norms, whose bias
// keeps its share, have their derivative, and a map is of x m.
//
// Sources: Bach, Binder, Montavon, Klauschen, Mueller, Samek 2015, PLoS ONE
// 10(7), eq. 56 to 60 (epsilon, alpha-beta); Montavon, Binder, Lapuschkin,
// Samek, Mueller 2019, LRP: An Overview, sec. 10.2 (gamma, z^B, composites);
// Andeol, Kawakami, Wada, Kanamori, Mueller, Montavon 2021, arXiv:2105.14372,
// sec. 3 (gamma where x may be negative); Achtibat, Hatefi, Dreyer, Jain,
// Wiegand, Lapuschkin, Samek 2024, arXiv:2402.05602, sec. 3 (softmax, products
// of activations, layer norms, activations); Arras, Montavon, Mueller, Samek
// 2017, arXiv:1706.07206, sec. 3.1 (gates).
//
// Internal to the model room.  Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_MODEL_RULES_LRP_RULES_H_
#define SALIENCY_CORE_MODEL_RULES_LRP_RULES_H_

#include "core/attribution/backward_rule.h"
#include "core/base/input_config.h"
#include "core/model/rules/node_view.h"

namespace saliency {

// `takes_image`: the operator's activation is the image itself.  Of a product
// with a gate all relevance goes to the other factor.  What the rules have
// nothing to say of is refused, quotients and sigmoids that are no gates among
// it.
Treatment TreatByLrp(const BackwardRule& rule, const NodeView& node,
                     const ActivationFlow& flow, bool takes_image,
                     const PixelRange& pixels);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_RULES_LRP_RULES_H_
