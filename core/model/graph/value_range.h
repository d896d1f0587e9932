// Between which numbers a value of a graph can lie, by the operators that made
// it: 1 / (1 + exp(-z)) lies in [0,1] whatever z is.
// Internal to the model room.  Pure functions of the graph.

#ifndef SALIENCY_CORE_MODEL_GRAPH_VALUE_RANGE_H_
#define SALIENCY_CORE_MODEL_GRAPH_VALUE_RANGE_H_

#include <limits>

namespace torch::jit {
struct Node;
struct Value;
}  // namespace torch::jit

namespace saliency {

// Closed, of real numbers; where nothing is known, all of them.
struct ValueRange {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
};

// Of all elements of a tensor, or of a number.  Parameters and buffers can be
// anything.
ValueRange RangeOf(const torch::jit::Value* value);

// Whether the result's numbers are those of the first input, all or some.
bool KeepsNumbers(const torch::jit::Node* node);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_GRAPH_VALUE_RANGE_H_
