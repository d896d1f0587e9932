// Rewrites a graph for the fast meta path: each parameterised operator becomes
// one `saliency::fused_op` node, which takes in the batch norm, the addition
// and the ReLU behind it where nothing else looks in between (a probe does).
// Internal to the model room.  Pure functions of the graph.

#ifndef SALIENCY_CORE_MODEL_META_META_STAGES_H_
#define SALIENCY_CORE_MODEL_META_META_STAGES_H_

#include <vector>

#include "core/model/meta/meta_sites.h"

namespace torch::jit {
struct Graph;
}  // namespace torch::jit

namespace saliency {

inline constexpr char kMetaStageOp[] = "saliency::fused_op";

// relu(norm(site(x)) + residual), of which all but `site` may be missing.
struct FusedOp {
  int site = -1;  // of ParameterizedOps
  int norm = -1;  // the batch norm right behind a convolution
  bool has_residual = false;
  bool has_relu = false;
};

// `graph` is a copy of the sites' marked graph without marks.  It gets one more
// input, the MetaRun, behind those it has.  Views become reshapes, so that
// tensors may be in channels-last order.
std::vector<FusedOp> RewriteIntoStages(torch::jit::Graph& graph,
                                       const ParameterizedOps& sites);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_META_META_STAGES_H_
