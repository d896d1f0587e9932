// Unrolls the loops around modules whose number of rounds the graph itself
// tells, so that each call has a mark of its own, as in a trace: `act`,
// `act#2`, ...
//
//   for i in range(3), break and while included    as long as the rounds do not
//   depend on the image
//
// A loop's rounds are taken out in front of it one after another ("peeled")
// until nothing is left of it.  One that turns out to depend on the image
// stays as it was.
//
// Internal to the model room.  Thread-compatible.

#ifndef SALIENCY_CORE_MODEL_GRAPH_UNROLL_LOOPS_H_
#define SALIENCY_CORE_MODEL_GRAPH_UNROLL_LOOPS_H_

#include <functional>
#include <memory>
#include <vector>

#include "core/model/graph/marked_graph.h"

namespace torch::jit {
struct Graph;
}  // namespace torch::jit

namespace saliency {

// `simplify` propagates constants.  Marks of the rounds are added to `marks`,
// each with a number of its own for the call.
void UnrollLoops(
    std::shared_ptr<torch::jit::Graph>& graph, std::vector<Mark>& marks,
    const std::function<void(std::shared_ptr<torch::jit::Graph>&)>& simplify);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_GRAPH_UNROLL_LOOPS_H_
