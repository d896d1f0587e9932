// Pass 2 of the fast meta path: stages at each row's theta'.

#include <ATen/ATen.h>
#include <torch/script.h>

#include <vector>

#include "core/kernels/per_sample_affine.h"
#include "core/model/meta/meta_ops.h"

namespace saliency {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// theta' [R,K] of a vector of parameters [K], or theta [1,K] when it does not
// move; undefined when there is none.
at::Tensor Moved(const MetaRun& run, const at::Tensor& theta,
                 const at::Tensor& gradient) {
  if (!theta.defined()) return theta;
  if (!gradient.defined()) return theta.unsqueeze(0);
  return theta - run.size_column * gradient;
}

at::Tensor MovedBias(const MetaRun& run, int site) {
  const SiteWeights& w = run.At(site);
  return Moved(run, w.bias,
               w.bias_moves ? run.steps[site].bias_gradient : at::Tensor());
}

at::Tensor MovedScale(const MetaRun& run, int site) {
  const SiteWeights& w = run.At(site);
  return Moved(run, w.weight,
               w.weight_moves ? run.steps[site].weight_gradient : at::Tensor());
}

bool IsConv(const MetaRun& run, const FusedOp& stage) {
  return run.At(stage.site).site.kind == ParameterizedOp::Kind::kConv;
}

ScaleShift AffineAtStepped(const MetaRun& run, const FusedOp& stage) {
  const int norm = IsConv(run, stage) ? stage.norm : stage.site;
  const at::Tensor conv_bias =
      IsConv(run, stage) ? MovedBias(run, stage.site) : at::Tensor();
  if (norm < 0) return FoldNorm(conv_bias, nullptr, {}, {});
  return FoldNorm(conv_bias, &run.At(norm), MovedScale(run, norm),
                  MovedBias(run, norm));
}

// The part of the affine that concerns row r.
PerSampleAffine OfRow(const PerSampleAffine& all, int64_t r) {
  const auto row = [&](const at::Tensor& values) {
    return values.defined() && values.size(0) > 1 ? values.narrow(0, r, 1)
                                                  : values;
  };
  return {row(all.scale), row(all.shift), row(all.residual), all.relu};
}

// Each row has its own weight; what follows is done while the row is in cache.
at::Tensor ConvolveByRow(const ConvStep& step, const ConvGeometry& geometry,
                         const at::Tensor& x, const PerSampleAffine& affine) {
  at::Tensor all;
  for (int64_t r = 0; r < x.size(0); ++r) {
    const at::Tensor y =
        PlainConv(x.narrow(0, r, 1), step.weights[r], geometry);
    if (x.size(0) == 1) all = y;
    if (!all.defined()) {
      all = at::empty({x.size(0), y.size(1), y.size(2), y.size(3)}, y.options(),
                      y.suggest_memory_format());
    }
    ApplyPerSampleAffine(y, OfRow(affine, r), all.narrow(0, r, 1));
  }
  return all;
}

at::Tensor Forward(const MetaRun& run, const FusedOp& stage,
                   const at::Tensor& x, const PerSampleAffine& affine) {
  if (!IsConv(run, stage)) {
    const at::Tensor out = at::empty_like(x);
    ApplyPerSampleAffine(x, affine, out);
    return out;
  }
  const SiteWeights& w = run.At(stage.site);
  const ConvStep& step = run.steps[stage.site].conv;
  if (step.is_explicit()) {
    return ConvolveByRow(step, w.site.geometry, x, affine);
  }
  const at::Tensor y = PlainConv(x, w.WeightFor(x), w.site.geometry);
  if (step.is_gram()) AddGramStep(step, x, w.site.geometry, y);
  ApplyPerSampleAffine(y, affine, y);
  return y;
}

at::Tensor ConvBackward(const MetaRun& run, const FusedOp& stage,
                        const at::Tensor& h, const at::Tensor& x) {
  const SiteWeights& w = run.At(stage.site);
  const ConvGeometry& geometry = w.site.geometry;
  const ConvStep& step = run.steps[stage.site].conv;
  if (step.is_explicit()) {
    std::vector<at::Tensor> rows;
    for (int64_t r = 0; r < x.size(0); ++r) {
      rows.push_back(PlainConvBackward(h.narrow(0, r, 1), x.narrow(0, r, 1),
                                       step.weights[r], geometry));
    }
    return rows.size() == 1 ? rows[0] : at::cat(rows);
  }
  const at::Tensor gradient = PlainConvBackward(h, x, w.WeightFor(x), geometry);
  if (step.is_gram()) AddGramStepBackward(step, h, geometry, gradient);
  return gradient;
}

// A convolution or a batch norm with what follows it, where gradients are
// asked for.
struct StepMap : torch::autograd::Function<StepMap> {
  static at::Tensor forward(AutogradContext* ctx, const MetaRunPtr& run,
                            int64_t stage_id, const at::Tensor& x,
                            const c10::optional<at::Tensor>& added) {
    const at::Tensor residual = added.value_or(at::Tensor());
    const FusedOp& stage = (*run->stages)[stage_id];
    const ScaleShift affine = AffineAtStepped(*run, stage);
    const at::Tensor z = Forward(
        *run, stage, x, {affine.scale, affine.shift, residual, stage.has_relu});
    ctx->saved_data["run"] = c10::IValue::make_capsule(run);
    ctx->saved_data["stage"] = stage_id;
    ctx->saved_data["x_moves"] = x.requires_grad();
    ctx->saved_data["residual_moves"] =
        residual.defined() && residual.requires_grad();
    const bool residual_moves = ctx->saved_data["residual_moves"].toBool();
    ctx->save_for_backward(
        {x, z, affine.scale, residual_moves ? residual : at::Tensor()});
    return z;
  }

  static variable_list backward(AutogradContext* ctx,
                                const variable_list& gradients) {
    const auto run = c10::static_intrusive_pointer_cast<MetaRun>(
        ctx->saved_data["run"].toCapsule());
    const FusedOp& stage = (*run->stages)[ctx->saved_data["stage"].toInt()];
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor &z = saved[1], &residual = saved[3];
    const PerSampleAffineGradient back =
        BackwardPerSampleAffine({.gradient = InOrderOf(z, gradients[0]),
                                 .output = stage.has_relu ? z : at::Tensor(),
                                 .scale = saved[2],
                                 .wants_after_scale = residual.defined()});
    at::Tensor x_gradient;
    if (ctx->saved_data["x_moves"].toBool()) {
      x_gradient = IsConv(*run, stage)
                       ? ConvBackward(*run, stage, back.before_scale, saved[0])
                       : back.before_scale;
    }
    return {at::Tensor(), at::Tensor(), x_gradient,
            residual.defined() ? InOrderOf(residual, back.after_scale)
                               : at::Tensor()};
  }
};

at::Tensor StepMapStage(const MetaRunPtr& run, const FusedOp& stage,
                        const at::Tensor& x, const at::Tensor& residual) {
  if (residual.defined() && residual.size(0) != x.size(0)) {
    run->is_unfit = true;
    return PlainStage(*run, stage, x, residual);
  }
  const bool differentiable =
      at::GradMode::is_enabled() &&
      (x.requires_grad() || (residual.defined() && residual.requires_grad()));
  if (differentiable) {
    return StepMap::apply(run, &stage - run->stages->data(), x,
                          IfDefined(residual));
  }
  const ScaleShift affine = AffineAtStepped(*run, stage);
  return Forward(*run, stage, x,
                 {affine.scale, affine.shift, residual, stage.has_relu});
}

// [R,...,K] times a factor for each row.
at::Tensor TimesSizes(const MetaRun& run, const at::Tensor& values) {
  std::vector<int64_t> sizes(values.dim(), 1);
  sizes[0] = run.rows();
  return values * run.size_column.view(sizes);
}

at::Tensor AtEachPosition(const at::Tensor& rows, int64_t dim) {
  std::vector<int64_t> sizes(dim, 1);
  sizes.front() = rows.size(0);
  sizes.back() = rows.size(1);
  return rows.view(sizes);
}

// y - c (g (x . y) + g): of rank one for each row, never a matrix of W's size.
// With positions in between, the sum over those of x and g.
at::Tensor StepLinearStage(const MetaRunPtr& run, const FusedOp& stage,
                           const at::Tensor& x) {
  const SiteWeights& w = run->At(stage.site);
  const SiteStep& step = run->steps[stage.site];
  const at::Tensor y = PlainStage(*run, stage, x, {});
  at::Tensor update;
  if (step.x.defined()) {
    const auto flat = [](const at::Tensor& values) {
      return values.dim() == 2 ? values.unsqueeze(1) : values.flatten(1, -2);
    };
    update =
        at::bmm(at::bmm(flat(x), flat(step.x).transpose(1, 2)), flat(step.g))
            .view(y.sizes());
  }
  if (w.bias_moves && step.bias_gradient.defined()) {
    const at::Tensor bias = AtEachPosition(step.bias_gradient, y.dim());
    update = update.defined() ? update + bias : bias;
  }
  return update.defined() ? y - TimesSizes(*run, update) : y;
}

}  // namespace

at::Tensor StepStage(const MetaRunPtr& run, const FusedOp& stage,
                     const at::Tensor& x, const at::Tensor& residual) {
  if (!Fits(*run, stage, x)) {
    run->is_unfit = true;
    return PlainStage(*run, stage, x, residual);
  }
  switch (run->At(stage.site).site.kind) {
    case ParameterizedOp::Kind::kConv:
    case ParameterizedOp::Kind::kBatchNorm:
      return StepMapStage(run, stage,
                          InMemoryOrder(run->At(stage.site).site, x), residual);
    case ParameterizedOp::Kind::kLinear:
    case ParameterizedOp::Kind::kBias:
      return StepLinearStage(run, stage, x);
  }
  return x;
}

}  // namespace saliency
