// What the two passes of the fast meta path share: the network's weights by
// site, and one run's memory of each site's step.
//
//   pass 1  forward at theta, one backward of the losses.  Each stage notes
//           its step: no parameter gradient of a row leaves its stage.
//   pass 2  the same stages at each row's theta'.
//
// Internal to the model room.  MetaWeights is constant after construction; a
// MetaRun belongs to one run.
//
// Legend: R rows, K channels of a site's output, x its input, g the gradient of
// the row's loss at its output.

#ifndef SALIENCY_CORE_MODEL_META_META_RUN_H_
#define SALIENCY_CORE_MODEL_META_META_RUN_H_

#include <vector>

#include "ATen/core/Tensor.h"
#include "ATen/core/ivalue.h"
#include "core/kernels/stepped_conv.h"
#include "core/model/graph/marked_graph.h"
#include "core/model/meta/meta_sites.h"
#include "core/model/meta/meta_stages.h"

namespace saliency {

// A site's operands as the passes want them, float32.
struct SiteWeights {
  ParameterizedOp site;
  at::Tensor weight;         // kConv: see WeightFor
  at::Tensor bias;           // undefined: none
  at::Tensor mean;           // kBatchNorm [K]
  at::Tensor inverse_sigma;  // kBatchNorm [K]: 1 / sqrt(variance + eps)
  bool weight_moves = false, bias_moves = false;
  // kBatchNorm: by how much rounding errors grow when (x - mean) inverse_sigma
  // is had back from the output, at most over the channels.
  double inversion_loss = 0;
  // kConv: `weight` by memory order; of one, the model's own memory.
  at::Tensor channels_last, nchw;

  // kConv: the weight in the memory order in which it is convolved with x.
  const at::Tensor& WeightFor(const at::Tensor& x) const;

  // Whether little enough for that.  What was added to the output and may be
  // larger, a residual, brings its own rounding.
  bool IsInvertible(bool has_residual) const;
};

std::vector<SiteWeights> ReadSiteWeights(
    const MarkedGraph& marked, const ParameterizedOps& sites,
    const std::vector<c10::IValue>& attributes);

// A site's step in one run.  Undefined: the loss does not depend on it.
struct SiteStep {
  ConvStep conv;
  at::Tensor x, g;             // kLinear
  at::Tensor weight_gradient;  // [R,K] kBatchNorm
  at::Tensor bias_gradient;    // [R,K]
};

struct MetaRun : torch::CustomClassHolder {
  enum class Phase { kRecord, kStepped };

  Phase phase = Phase::kRecord;
  const std::vector<SiteWeights>* weights = nullptr;  // by site
  const std::vector<FusedOp>* stages = nullptr;       // of the graph that runs
  std::vector<double> sizes;  // c_r in theta' = theta - c_r grad L
  // [R,1] float32 on the device: the same.
  at::Tensor size_column;
  // Pass 1's stages start autograd by it, without a gradient of its own.
  at::Tensor anchor;
  std::vector<SiteStep> steps;  // by site
  // A stage met tensors that it does not know how to treat (rows not along the
  // first axis, an addition that broadcasts): what was recorded is no good.
  bool is_unfit = false;

  int64_t rows() const { return static_cast<int64_t>(sizes.size()); }
  const SiteWeights& At(int site) const { return (*weights)[site]; }
};

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_META_META_RUN_H_
