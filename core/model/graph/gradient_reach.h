// Which layers a score's gradient reaches, by the graph alone: it ends at
// operators that have no derivative (argmax, a comparison, integer weights),
// whose derivative is zero (round), or that are there to end it (detach, and
// torch.no_grad, see no_grad.h).
// Internal to the model room.  Pure functions of the graph.

#ifndef SALIENCY_CORE_MODEL_GRAPH_GRADIENT_REACH_H_
#define SALIENCY_CORE_MODEL_GRAPH_GRADIENT_REACH_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "core/model/graph/marked_graph.h"

namespace saliency {

// Refuses operators whose weights were packed for inference, as
// torch.utils.mobile_optimizer.optimize_for_mobile does: they have no
// gradients, and to run one may hang or end the process (LibTorch 1.13 on x86).
// Errors: INVALID_ARGUMENT names the first of them.
absl::Status RefusePrepackedOperators(const MarkedGraph& marked);

// By mark id: why no gradient reaches its tensor, as "behind it the model uses
// detach, where gradients end"; empty: nothing is known to be in the way.  The
// output that is explained is picked as SelectOutput does.
std::vector<std::string> GradientEnds(const MarkedGraph& marked,
                                      std::optional<int> output_index,
                                      const std::string& output_key);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_GRAPH_GRADIENT_REACH_H_
