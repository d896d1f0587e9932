// Runs a network with a note taken in front of each of its operators: when it
// stops, the last note tells where.
// Internal to the model room.  Thread-compatible.

#ifndef SALIENCY_CORE_MODEL_NOTED_RUN_H_
#define SALIENCY_CORE_MODEL_NOTED_RUN_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "ATen/core/ivalue.h"
#include "core/model/probed_network.h"

namespace saliency {

// What is known of an operator before it runs.
struct NotedOperator {
  std::string name;                  // "conv2d"
  std::string layer;                 // that returns its result; empty: none
  std::vector<std::string> devices;  // that its constants name
  // Of a convolution that is not transposed.
  std::optional<int64_t> groups;
  std::string exception;  // what the model says when it raises one
};

class NotedRun {
 public:
  // `network` outlives this.
  explicit NotedRun(const ProbedNetwork& network);
  ~NotedRun();

  // The network's output, on its device.  Throws what LibTorch throws.
  c10::IValue Run(const at::Tensor& input);

  // The operator that the last run came to last; null: to none.
  const NotedOperator* last() const;
  // The tensors that this operator was given.
  const std::vector<at::Tensor>& tensors() const;

 private:
  struct Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_NOTED_RUN_H_
