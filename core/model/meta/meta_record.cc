// Pass 1 of the fast meta path.  A stage is computed at theta by a function of
// autograd of its own.  When the backward of the loss reaches that function, it
// notes the step of the stage's parameters for each row apart, which autograd
// itself would add up over all rows of the batch.
//
// Legend: as in meta_run.h; y is the output of a stage's convolution, z that of
// the whole stage, xhat = (y - mean) / sigma what its batch norm normalises to.

#include <ATen/ATen.h>
#include <torch/script.h>

#include <vector>

#include "core/kernels/per_sample_affine.h"
#include "core/model/meta/meta_ops.h"

namespace saliency {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Adds up all axes between the first and the last: [R,...,K] to [R,K].
at::Tensor SumInner(const at::Tensor& g) {
  return g.dim() > 2 ? g.flatten(1, -2).sum(1) : g;
}

// [K] as [1,K], which stands for all rows; an undefined tensor stays undefined.
at::Tensor AsRow(const at::Tensor& values) {
  return values.defined() ? values.unsqueeze(0) : values;
}

// The batch norm that follows the stage's convolution; null: there is none.
const SiteWeights* NormOf(const MetaRun& run, const FusedOp& stage) {
  return stage.norm < 0 ? nullptr : &run.At(stage.norm);
}

// What the convolution's bias and the batch norm do to each channel at theta,
// as one scale and one shift [1,K].
ScaleShift AffineAtTheta(const MetaRun& run, const FusedOp& stage) {
  const SiteWeights& site = run.At(stage.site);
  const SiteWeights* norm = NormOf(run, stage);
  const bool is_conv = site.site.kind == ParameterizedOp::Kind::kConv;
  if (!is_conv) norm = &site;
  return FoldNorm(is_conv ? AsRow(site.bias) : at::Tensor(), norm,
                  norm ? AsRow(norm->weight) : at::Tensor(),
                  norm ? AsRow(norm->bias) : at::Tensor());
}

// The gradient of a batch norm's weight is the sum of g xhat over positions.
// The kernels do not form xhat.  They give the sum of g [R,K] and the sum of g
// times a tensor that is in memory anyway, from which the wanted sum follows,
// since that tensor is an affine function of xhat in each channel.
//
// Here that tensor is the norm's output z = xhat weight + bias.
// REQUIRES: norm.IsInvertible(), else the division magnifies rounding errors.
at::Tensor NormWeightGradientByOutput(const SiteWeights& norm,
                                      const at::Tensor& sum,
                                      const at::Tensor& sum_z) {
  const at::Tensor scaled =
      norm.bias.defined() ? sum_z - sum * norm.bias : sum_z;
  return norm.weight.defined() ? scaled / norm.weight : scaled;
}
// Here it is the norm's input.  A convolution's bias is not yet added to it, so
// that xhat = (y + conv_bias - mean) / sigma.
at::Tensor NormWeightGradientByInput(const SiteWeights& norm,
                                     const at::Tensor& conv_bias,
                                     const at::Tensor& sum,
                                     const at::Tensor& sum_y) {
  const at::Tensor centre =
      conv_bias.defined() ? norm.mean - conv_bias : norm.mean;
  return (sum_y - sum * centre) * norm.inverse_sigma;
}

// A stage that begins with a convolution or a batch norm.  `anchor` is a tensor
// that asks for gradients: without it autograd would pass over a stage whose x
// asks for none, as that of the first layer, and its step would not be noted.
struct RecordConvOrNorm : torch::autograd::Function<RecordConvOrNorm> {
  static at::Tensor forward(AutogradContext* ctx, const MetaRunPtr& run,
                            int64_t stage_id, const at::Tensor& x,
                            const c10::optional<at::Tensor>& added,
                            const c10::optional<at::Tensor>& /*anchor*/) {
    const at::Tensor residual = added.value_or(at::Tensor());
    const FusedOp& stage = (*run->stages)[stage_id];
    const SiteWeights& site = run->At(stage.site);
    const SiteWeights* norm = NormOf(*run, stage);
    const bool is_conv = site.site.kind == ParameterizedOp::Kind::kConv;
    at::Tensor y =
        is_conv ? PlainConv(x, site.WeightFor(x), site.site.geometry) : x;
    // z overwrites y, which saves a tensor of that size.  It does not where y
    // is x itself, or where y computed back from z would carry too large
    // rounding errors into the gradient of the batch norm's weight.
    const bool keeps_y = !is_conv || (norm != nullptr &&
                                      !norm->IsInvertible(residual.defined()));
    const at::Tensor z = keeps_y ? at::empty_like(y) : y;
    const ScaleShift affine = AffineAtTheta(*run, stage);
    if (residual.defined() && residual.sizes() != y.sizes()) {
      run->is_unfit = true;
      return PlainStage(*run, stage, x, residual);
    }
    ApplyPerSampleAffine(
        y, {affine.scale, affine.shift, residual, stage.has_relu}, z);
    ctx->save_for_backward(
        {x, residual, z, is_conv && keeps_y ? y : at::Tensor()});
    ctx->saved_data["run"] = c10::IValue::make_capsule(run);
    ctx->saved_data["stage"] = stage_id;
    ctx->saved_data["x_moves"] = x.requires_grad();
    ctx->saved_data["residual_moves"] =
        residual.defined() && residual.requires_grad();
    return z;
  }

  // One pass over memory (per_sample_affine.h) goes back through the ReLU, the
  // residual and the batch norm, and takes the sums that their steps need
  // along; the convolution follows.
  static variable_list backward(AutogradContext* ctx,
                                const variable_list& gradients) {
    const auto run = c10::static_intrusive_pointer_cast<MetaRun>(
        ctx->saved_data["run"].toCapsule());
    const FusedOp& stage = (*run->stages)[ctx->saved_data["stage"].toInt()];
    const SiteWeights& site = run->At(stage.site);
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor &x = saved[0], &residual = saved[1], &z = saved[2],
                     &y = saved[3];
    const bool is_conv = site.site.kind == ParameterizedOp::Kind::kConv;
    const SiteWeights* norm = is_conv ? NormOf(*run, stage) : &site;

    PerSampleAffineBackward way = {.gradient = InOrderOf(z, gradients[0]),
                                   .output = stage.has_relu ? z : at::Tensor(),
                                   .scale = AffineAtTheta(*run, stage).scale};
    way.wants_after_scale = ctx->saved_data["residual_moves"].toBool();
    way.wants_sum = site.bias_moves || (norm != nullptr && norm->bias_moves);
    // y was overwritten: z less the residual stands for it.
    const bool from_output = is_conv && !y.defined();
    if (norm != nullptr && norm->weight_moves) {
      way.product = from_output ? z : is_conv ? y : x;
      if (from_output) way.product_minus = residual;
    }
    const PerSampleAffineGradient back = BackwardPerSampleAffine(way);

    if (norm != nullptr) {
      SiteStep& step = run->steps[is_conv ? stage.norm : stage.site];
      step.bias_gradient = back.sum;
      if (norm->weight_moves) {
        step.weight_gradient =
            from_output
                ? NormWeightGradientByOutput(*norm, back.sum, back.product_sum)
                : NormWeightGradientByInput(*norm,
                                            is_conv ? site.bias : at::Tensor(),
                                            back.sum, back.product_sum);
      }
    }
    at::Tensor x_gradient = back.before_scale;
    if (is_conv) {
      RecordConv(*run, stage, x, back, way.scale);
      x_gradient =
          ctx->saved_data["x_moves"].toBool()
              ? PlainConvBackward(back.before_scale, x, site.WeightFor(x),
                                  site.site.geometry)
              : at::Tensor();
    }
    return {at::Tensor(), at::Tensor(), x_gradient,
            back.after_scale.defined() ? InOrderOf(residual, back.after_scale)
                                       : at::Tensor(),
            at::Tensor()};
  }

  // Notes the step of the stage's convolution: that of its bias, whose gradient
  // is the sum of g in front of the batch norm's scale, and that of its weight.
  static void RecordConv(MetaRun& run, const FusedOp& stage,
                         const at::Tensor& x,
                         const PerSampleAffineGradient& back,
                         const at::Tensor& scale) {
    const SiteWeights& site = run.At(stage.site);
    SiteStep& step = run.steps[stage.site];
    if (site.bias_moves) {
      step.bias_gradient = scale.defined() ? back.sum * scale : back.sum;
    }
    if (site.weight_moves) {
      step.conv = MakeConvStep(x.detach(), back.before_scale, site.WeightFor(x),
                               site.site.geometry, run.sizes);
    }
  }
};

// A stage that is a linear layer or an added bias.  The step of a linear
// layer's weight is g^T x, of rank one for each position: x and g are noted in
// its place, which take far less memory than [R,K,F].
struct RecordLinearOrBias : torch::autograd::Function<RecordLinearOrBias> {
  static at::Tensor forward(AutogradContext* ctx, const MetaRunPtr& run,
                            int64_t stage_id, const at::Tensor& x,
                            const c10::optional<at::Tensor>& /*anchor*/) {
    ctx->saved_data["run"] = c10::IValue::make_capsule(run);
    ctx->saved_data["stage"] = stage_id;
    ctx->saved_data["x_moves"] = x.requires_grad();
    ctx->save_for_backward({x});
    return PlainStage(*run, (*run->stages)[stage_id], x, {});
  }

  static variable_list backward(AutogradContext* ctx,
                                const variable_list& gradients) {
    const auto run = c10::static_intrusive_pointer_cast<MetaRun>(
        ctx->saved_data["run"].toCapsule());
    const FusedOp& stage = (*run->stages)[ctx->saved_data["stage"].toInt()];
    const SiteWeights& w = run->At(stage.site);
    SiteStep& step = run->steps[stage.site];
    const at::Tensor& g = gradients[0];
    if (w.bias_moves) step.bias_gradient = SumInner(g);
    if (w.site.kind == ParameterizedOp::Kind::kBias) {
      return {at::Tensor(), at::Tensor(), g, at::Tensor()};
    }
    if (w.weight_moves) {
      step.x = ctx->get_saved_variables()[0].detach();
      step.g = g;
    }
    const bool x_moves = ctx->saved_data["x_moves"].toBool();
    const at::Tensor matrix =
        w.site.weight_is_transposed ? w.weight.t() : w.weight;
    return {at::Tensor(), at::Tensor(),
            x_moves ? at::matmul(g, matrix) : at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor RecordStage(const MetaRunPtr& run, const FusedOp& stage,
                       const at::Tensor& x, const at::Tensor& residual) {
  if (!Fits(*run, stage, x)) {
    run->is_unfit = true;
    return PlainStage(*run, stage, x, residual);
  }
  const int64_t id = &stage - run->stages->data();
  switch (run->At(stage.site).site.kind) {
    case ParameterizedOp::Kind::kConv:
    case ParameterizedOp::Kind::kBatchNorm:
      return RecordConvOrNorm::apply(
          run, id, InMemoryOrder(run->At(stage.site).site, x),
          IfDefined(residual), IfDefined(run->anchor));
    case ParameterizedOp::Kind::kLinear:
    case ParameterizedOp::Kind::kBias:
      return RecordLinearOrBias::apply(run, id, x, IfDefined(run->anchor));
  }
  return x;
}

}  // namespace saliency
