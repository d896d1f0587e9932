#include "core/model/meta/meta_run.h"

#include <ATen/ATen.h>

namespace saliency {
namespace {

// xhat = (z - bias) / weight loses as many digits as this ratio has.
constexpr double kMaxInversionLoss = 100;
// Residuals are seldom more than ten times what is added to them.
constexpr double kMaxInversionLossBelowResidual = 10;

at::Tensor Operand(const std::vector<c10::IValue>& attributes, int index) {
  return index < 0 ? at::Tensor() : attributes[index].toTensor().detach();
}

double InversionLoss(const SiteWeights& w) {
  if (!w.weight.defined()) return 1;
  at::Tensor loss = 1 / w.weight.abs();
  if (w.bias.defined()) loss = loss * (1 + w.bias.abs());
  return loss.max().item<double>();
}

}  // namespace

const at::Tensor& SiteWeights::WeightFor(const at::Tensor& x) const {
  return OrderOfConv(x, site.geometry) == at::MemoryFormat::Contiguous
             ? nchw
             : channels_last;
}

// Not for NaN.
bool SiteWeights::IsInvertible(bool has_residual) const {
  return inversion_loss <=
         (has_residual ? kMaxInversionLossBelowResidual : kMaxInversionLoss);
}

std::vector<SiteWeights> ReadSiteWeights(
    const MarkedGraph& marked, const ParameterizedOps& sites,
    const std::vector<c10::IValue>& attributes) {
  const auto moves = [&](int index) {
    return index >= 0 && marked.parameter[index] >= 0;
  };
  std::vector<SiteWeights> all;
  for (const ParameterizedOp& site : sites.sites) {
    SiteWeights w;
    w.site = site;
    w.weight = Operand(attributes, site.weight);
    w.bias = Operand(attributes, site.bias);
    w.weight_moves = moves(site.weight);
    w.bias_moves = moves(site.bias);
    if (site.kind == ParameterizedOp::Kind::kConv) {
      w.nchw = w.weight.contiguous();
      w.channels_last = w.weight.contiguous(at::MemoryFormat::ChannelsLast);
    } else if (site.kind == ParameterizedOp::Kind::kBatchNorm) {
      w.mean = Operand(attributes, site.mean);
      w.inverse_sigma = (Operand(attributes, site.variance) + site.eps).rsqrt();
      w.inversion_loss = InversionLoss(w);
    }
    all.push_back(std::move(w));
  }
  return all;
}

}  // namespace saliency
