// Gates: products in which one factor is a sigmoid or hard sigmoid of something
// else, as in squeeze-and-excitation blocks.
// Internal to the model room.  Pure functions of a graph; safe from any thread
// while nobody changes it.

#ifndef SALIENCY_CORE_MODEL_RULES_GATES_H_
#define SALIENCY_CORE_MODEL_RULES_GATES_H_

#include <cstddef>
#include <optional>

#include "core/model/rules/node_view.h"

namespace saliency {

// Which factor of a product of two activations is the gate, 0 or 1; nothing
// when neither is or both are.
std::optional<std::size_t> GateFactor(const NodeView& product,
                                      const ActivationFlow& flow);

// Whether all that is made of a sigmoid's output are products that it is the
// gate of.
bool IsGateAlone(const NodeView& sigmoid, const ActivationFlow& flow);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_RULES_GATES_H_
