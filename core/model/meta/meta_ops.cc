#include "core/model/meta/meta_ops.h"

#include <torch/csrc/jit/runtime/custom_operator.h>
#include <torch/script.h>

namespace saliency {
namespace {

using torch::jit::Operator;
using torch::jit::Stack;

void RunStage(Stack& stack) {
  const c10::IValue residual = torch::jit::pop(stack);
  const at::Tensor x = torch::jit::pop(stack).toTensor();
  const int64_t id = torch::jit::pop(stack).toInt();
  const auto run = c10::static_intrusive_pointer_cast<MetaRun>(
      torch::jit::pop(stack).toCapsule());
  const FusedOp& stage = run->stages->at(id);
  const at::Tensor added =
      residual.isNone() ? at::Tensor() : residual.toTensor();
  torch::jit::push(stack, run->phase == MetaRun::Phase::kRecord
                              ? RecordStage(run, stage, x, added)
                              : StepStage(run, stage, x, added));
}

at::Tensor PlainSite(const SiteWeights& w, const at::Tensor& x) {
  const ParameterizedOp& site = w.site;
  switch (site.kind) {
    case ParameterizedOp::Kind::kConv: {
      const at::Tensor y = PlainConv(x, w.WeightFor(x), site.geometry);
      return w.bias.defined() ? y + w.bias.view({-1, 1, 1}) : y;
    }
    case ParameterizedOp::Kind::kLinear:
      return at::linear(x, site.weight_is_transposed ? w.weight.t() : w.weight,
                        w.bias);
    case ParameterizedOp::Kind::kBatchNorm:
      return at::batch_norm(x, w.weight, w.bias, w.mean,
                            w.inverse_sigma.square().reciprocal() - site.eps,
                            /*training=*/false, /*momentum=*/0, site.eps,
                            /*cudnn_enabled=*/false);
    case ParameterizedOp::Kind::kBias:
      return x + w.bias;
  }
  return x;
}

// Another memory order, and back.
struct Reorder : torch::autograd::Function<Reorder> {
  static at::Tensor forward(torch::autograd::AutogradContext* ctx,
                            const at::Tensor& x, int64_t order) {
    ctx->saved_data["order"] = static_cast<int64_t>(x.suggest_memory_format());
    return x.contiguous(static_cast<at::MemoryFormat>(order));
  }
  static torch::autograd::variable_list backward(
      torch::autograd::AutogradContext* ctx,
      const torch::autograd::variable_list& gradients) {
    return {gradients[0].contiguous(static_cast<at::MemoryFormat>(
                ctx->saved_data["order"].toInt())),
            at::Tensor()};
  }
};

}  // namespace

void RegisterMetaOps() {
  static const bool registered = [] {
    torch::jit::registerOperator(Operator(
        "saliency::fused_op(Any run, int stage, Tensor x, Tensor? residual) "
        "-> Tensor",
        &RunStage, c10::AliasAnalysisKind::CONSERVATIVE));
    return true;
  }();
  static_cast<void>(registered);
}

at::Tensor PlainStage(const MetaRun& run, const FusedOp& stage,
                      const at::Tensor& x, const at::Tensor& residual) {
  at::Tensor y = PlainSite(run.At(stage.site), x);
  if (stage.norm >= 0) y = PlainSite(run.At(stage.norm), y);
  if (residual.defined()) y = y + residual;
  return stage.has_relu ? at::relu(y) : y;
}

bool Fits(const MetaRun& run, const FusedOp& stage, const at::Tensor& x) {
  if (x.scalar_type() != at::kFloat || x.dim() < 2 || x.size(0) != run.rows()) {
    return false;
  }
  const SiteWeights& w = run.At(stage.site);
  switch (w.site.kind) {
    case ParameterizedOp::Kind::kConv:
      return x.dim() == 4;
    case ParameterizedOp::Kind::kBias:
      return x.size(-1) == w.bias.numel();
    case ParameterizedOp::Kind::kLinear:
    case ParameterizedOp::Kind::kBatchNorm:
      return true;
  }
  return false;
}

at::Tensor InMemoryOrder(const ParameterizedOp& site, const at::Tensor& x) {
  if (x.dim() != 4) return x;
  at::MemoryFormat order = at::MemoryFormat::ChannelsLast;
  if (site.kind == ParameterizedOp::Kind::kConv) {
    order = OrderOfConv(x, site.geometry);
  } else if (x.is_contiguous()) {
    return x;
  }
  if (x.is_contiguous(order)) return x;
  return Reorder::apply(x, static_cast<int64_t>(order));
}

at::Tensor InOrderOf(const at::Tensor& x, const at::Tensor& gradient) {
  return x.dim() == 4 && gradient.defined()
             ? gradient.contiguous(x.suggest_memory_format())
             : gradient;
}

ScaleShift FoldNorm(const at::Tensor& conv_bias, const SiteWeights* norm,
                    const at::Tensor& weight, const at::Tensor& bias) {
  if (norm == nullptr) return {{}, conv_bias};
  const at::Tensor scale = weight.defined() ? weight * norm->inverse_sigma
                                            : norm->inverse_sigma.unsqueeze(0);
  const at::Tensor centre =
      conv_bias.defined() ? norm->mean - conv_bias : norm->mean;
  const at::Tensor shift = -centre * scale;
  return {scale, bias.defined() ? shift + bias : shift};
}

}  // namespace saliency
