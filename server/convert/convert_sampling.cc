#include "server/convert/convert_sampling.h"

#include <memory>
#include <string>

#include "core/base/status.h"
#include "server/convert/convert_parts.h"

namespace saliency {
namespace {

absl::StatusOr<SampleStatistic> StatisticFromProto(
    v1::SampleStatistic statistic) {
  switch (statistic) {
    case v1::SAMPLE_STATISTIC_UNSPECIFIED:
    case v1::SAMPLE_STATISTIC_MEAN:
      return SampleStatistic::kMean;
    case v1::SAMPLE_STATISTIC_MEAN_OF_SQUARES:
      return SampleStatistic::kMeanOfSquares;
    case v1::SAMPLE_STATISTIC_VARIANCE:
      return SampleStatistic::kVariance;
    default:
      return UnknownValue("statistic", statistic);
  }
}

absl::StatusOr<Baseline> BaselineFromProto(v1::Baseline baseline,
                                           Baseline otherwise) {
  switch (baseline) {
    case v1::BASELINE_UNSPECIFIED:
      return otherwise;
    case v1::BASELINE_BLACK:
      return Baseline::kBlack;
    case v1::BASELINE_MEAN:
      return Baseline::kMean;
    case v1::BASELINE_BLURRED:
      return Baseline::kBlurred;
    default:
      return UnknownValue("baseline", baseline);
  }
}

Attribution BaseOf(const v1::SmoothGrad& proto, Violations& found) {
  Attribution gradient = Attribution::Named("gradient").value();
  if (!proto.has_base()) return gradient;
  Violations of_base;
  if (!proto.base().layers().empty()) {
    of_base.Add(Invalid("layers: set; they belong to the attribution itself"));
  }
  // A method that samples may not hold another, so that this goes no deeper.
  if (proto.base().has_smooth_grad()) {
    of_base.Add(Invalid("smooth_grad: is no method to take samples of"));
  }
  Attribution base =
      of_base.empty() ? AttributionFromProto(proto.base(), of_base) : gradient;
  found.Add("base", of_base);
  return base;
}

Attribution SmoothGradFromProto(const v1::SmoothGrad& proto,
                                Violations& found) {
  Violations of_this;
  SmoothGrad smooth = {
      .statistic = of_this.Take(StatisticFromProto(proto.statistic())),
      .seed = proto.seed()};
  if (proto.has_samples()) smooth.samples = proto.samples();
  if (proto.has_noise_level()) smooth.noise_level = proto.noise_level();
  const Attribution base = BaseOf(proto, of_this);
  Attribution made = of_this.Take(Attribution::Smoothed(smooth, base), base);
  found.Add("smooth_grad", of_this);
  return made;
}

Attribution IntegratedGradientsFromProto(const v1::IntegratedGradients& proto,
                                         Violations& found) {
  Violations of_this;
  IntegratedGradients method = {.baseline = of_this.Take(BaselineFromProto(
                                    proto.baseline(), Baseline::kBlack))};
  if (proto.has_steps()) method.steps = proto.steps();
  if (!proto.baseline_image().empty()) {
    if (proto.baseline() != v1::BASELINE_UNSPECIFIED) {
      of_this.Add(Invalid("baseline_image: set together with baseline"));
    }
    method.baseline_image =
        std::make_shared<const std::string>(proto.baseline_image());
  }
  Attribution made =
      of_this.Take(Attribution::Integrated(method), DefaultAttribution());
  found.Add("integrated_gradients", of_this);
  return made;
}

Attribution PerturbedFromProto(const char* field, const Sampling& method,
                               Violations& of_this, Violations& found) {
  Attribution made =
      of_this.Take(Attribution::Perturbed(method), DefaultAttribution());
  found.Add(field, of_this);
  return made;
}

Attribution OcclusionFromProto(const v1::Occlusion& proto, Violations& found) {
  Violations of_this;
  Occlusion method = {.baseline = of_this.Take(BaselineFromProto(
                          proto.baseline(), Baseline::kMean))};
  if (proto.has_patch_size()) method.patch_size = proto.patch_size();
  if (proto.has_stride()) method.stride = proto.stride();
  return PerturbedFromProto("occlusion", method, of_this, found);
}

Attribution RiseFromProto(const v1::Rise& proto, Violations& found) {
  Violations of_this;
  Rise method = {.baseline = of_this.Take(
                     BaselineFromProto(proto.baseline(), Baseline::kMean)),
                 .seed = proto.seed()};
  if (proto.has_masks()) method.masks = proto.masks();
  if (proto.has_cells()) method.cells = proto.cells();
  if (proto.has_keep_probability()) {
    method.keep_probability = proto.keep_probability();
  }
  return PerturbedFromProto("rise", method, of_this, found);
}

// What both methods that hide superpixels have.
template <typename Proto, typename Method>
void SegmentsFromProto(const Proto& proto, Method& method,
                       Violations& of_this) {
  method.baseline =
      of_this.Take(BaselineFromProto(proto.baseline(), Baseline::kMean));
  method.seed = proto.seed();
  if (proto.has_samples()) method.samples = proto.samples();
  if (proto.has_segments()) method.segments = proto.segments();
  if (proto.has_compactness()) method.compactness = proto.compactness();
}

Attribution LimeFromProto(const v1::Lime& proto, Violations& found) {
  Violations of_this;
  Lime method;
  SegmentsFromProto(proto, method, of_this);
  if (proto.has_ridge()) method.ridge = proto.ridge();
  if (proto.has_kernel_width()) method.kernel_width = proto.kernel_width();
  return PerturbedFromProto("lime", method, of_this, found);
}

Attribution KernelShapFromProto(const v1::KernelShap& proto,
                                Violations& found) {
  Violations of_this;
  KernelShap method;
  SegmentsFromProto(proto, method, of_this);
  return PerturbedFromProto("kernel_shap", method, of_this, found);
}

}  // namespace

std::optional<Attribution> SampledFromProto(const v1::Attribution& attribution,
                                            Violations& found) {
  switch (attribution.kind_case()) {
    case v1::Attribution::kSmoothGrad:
      return SmoothGradFromProto(attribution.smooth_grad(), found);
    case v1::Attribution::kIntegratedGradients:
      return IntegratedGradientsFromProto(attribution.integrated_gradients(),
                                          found);
    case v1::Attribution::kOcclusion:
      return OcclusionFromProto(attribution.occlusion(), found);
    case v1::Attribution::kRise:
      return RiseFromProto(attribution.rise(), found);
    case v1::Attribution::kLime:
      return LimeFromProto(attribution.lime(), found);
    case v1::Attribution::kKernelShap:
      return KernelShapFromProto(attribution.kernel_shap(), found);
    default:
      return std::nullopt;
  }
}

}  // namespace saliency
