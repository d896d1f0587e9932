// What kind of node of a TorchScript graph this is.
// Pure functions; safe from any thread while nobody changes the graph.

#ifndef SALIENCY_CORE_MODEL_GRAPH_NODE_KIND_H_
#define SALIENCY_CORE_MODEL_GRAPH_NODE_KIND_H_

#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>

#include "core/model/probe_ops.h"

namespace saliency {

// `name` is qualified, as "aten::conv2d".
inline bool IsOp(const torch::jit::Node* node, const char* name) {
  return node->kind() == c10::Symbol::fromQualString(name);
}

// A mark that MarkGraph set behind a module's call.
inline bool IsMark(const torch::jit::Node* node) { return IsOp(node, kMarkOp); }

// The mark's index into MarkedGraph::marks.  REQUIRES: IsMark(mark).
inline int MarkId(const torch::jit::Node* mark) {
  return static_cast<int>(torch::jit::toIValue(mark->input(1))->toInt());
}

// As append() to a list and add_() to a tensor.
inline bool WritesFirstInput(const torch::jit::Node* node) {
  const c10::FunctionSchema* schema = node->maybeSchema();
  if (schema == nullptr || schema->arguments().empty()) return false;
  const auto* alias = schema->arguments()[0].alias_info();
  return alias != nullptr && alias->isWrite() && !node->inputs().empty();
}

// The constant 1, of whatever type.
inline bool IsConstantOne(const torch::jit::Value* value) {
  const auto constant = torch::jit::toIValue(value);
  return constant && constant->isScalar() &&
         constant->toScalar().toDouble() == 1;
}

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_GRAPH_NODE_KIND_H_
