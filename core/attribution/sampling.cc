#include "core/attribution/sampling.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/attribution/perturbation.h"
#include "core/base/near_names.h"
#include "core/base/status.h"

namespace saliency {
namespace {

constexpr int kMaxSamples = 1000;
constexpr double kMaxNoiseLevel = 10;
constexpr int kMaxPatchSize = 4096;
constexpr int kMaxMasks = 20000;
constexpr int kMaxCells = 64;
constexpr int64_t kPatchesAlongSide = 8;
constexpr int kMaxSegments = 256;

template <typename Number>
absl::Status CheckRange(const char* field, Number value, Number least,
                        Number most) {
  if (value >= least && value <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(field, ": ", value, " not in [", least, ", ", most, "]"));
}

absl::Status Check(const SmoothGrad& smooth) {
  RETURN_IF_ERROR(
      CheckRange("noise_level", smooth.noise_level, 0.0, kMaxNoiseLevel));
  return CheckRange("samples", smooth.samples,
                    smooth.statistic == SampleStatistic::kVariance ? 2 : 1,
                    kMaxSamples);
}

absl::Status Check(const IntegratedGradients& method) {
  return CheckRange("steps", method.steps, 1, kMaxSamples);
}

absl::Status Check(const Occlusion& method) {
  if (method.patch_size.has_value()) {
    RETURN_IF_ERROR(
        CheckRange("patch_size", *method.patch_size, 1, kMaxPatchSize));
  }
  if (!method.stride.has_value()) return absl::OkStatus();
  return CheckRange("stride", *method.stride, 1,
                    method.patch_size.value_or(kMaxPatchSize));
}

absl::Status Check(const Rise& method) {
  RETURN_IF_ERROR(CheckRange("masks", method.masks, 1, kMaxMasks));
  RETURN_IF_ERROR(CheckRange("cells", method.cells, 2, kMaxCells));
  return CheckRange("keep_probability", method.keep_probability, 0.01, 0.99);
}

// What both methods that hide superpixels have.
template <typename Method>
absl::Status CheckSegments(const Method& method) {
  RETURN_IF_ERROR(CheckRange("samples", method.samples, 2, kMaxMasks));
  RETURN_IF_ERROR(CheckRange("segments", method.segments, 2, kMaxSegments));
  return CheckRange("compactness", method.compactness, 0.01, 1000.0);
}

absl::Status Check(const Lime& method) {
  RETURN_IF_ERROR(CheckSegments(method));
  RETURN_IF_ERROR(CheckRange("ridge", method.ridge, 0.0, 1e6));
  return CheckRange("kernel_width", method.kernel_width, 0.01, 100.0);
}

absl::Status Check(const KernelShap& method) { return CheckSegments(method); }

absl::Status Check(const ScoreCam& /*method*/) { return absl::OkStatus(); }

const SamplingMethod kSamplingMethods[] = {
    {.name = "integrated_gradients",
     .summary =
         "Displacement from a baseline times the mean gradient on the way",
     .formula = "sum_k (x_k - x'_k) mean_a g_k(x' + a (x - x'))",
     .source = "Sundararajan et al. 2017, arXiv:1703.01365, eq. 1",
     .aliases = "integratedgradient integratedgrad ig",
     .is_signed = true,
     .defaults = IntegratedGradients()},
    {.name = "kernel_shap",
     .summary = "Shapley values of superpixels, by least squares",
     .formula = "argmin_c sum_s w_s (score(x_s) - score(x') - z_s . c)^2, "
                "sum c = score(x) - score(x')",
     .source = "Lundberg, Lee 2017, arXiv:1705.07874, theorem 2",
     .aliases = "",
     .is_signed = true,
     .defaults = KernelShap()},
    {.name = "lime",
     .summary = "Coefficients of a local linear model over superpixels",
     .formula = "argmin_c,b sum_s w_s (score(x_s) - b - z_s . c)^2 + a |c|^2",
     .source = "Ribeiro et al. 2016, arXiv:1602.04938, sec. 3",
     .aliases = "limeimage",
     .is_signed = true,
     .defaults = Lime()},
    {.name = "occlusion",
     .summary = "What the score loses when a window hides the pixel",
     .formula = "mean_{w holds u} score(x) - score(x hidden in w)",
     .source = "Zeiler, Fergus 2014, arXiv:1311.2901, sec. 4.2",
     .aliases = "slidingwindow occlusionsensitivity featureocclusion",
     .is_signed = true,
     .defaults = Occlusion()},
    {.name = "rise",
     .summary = "Mean score over random masks that leave the pixel",
     .formula = "sum_s score(x . M_s) M_s(u) / (n p)",
     .source = "Petsiuk et al. 2018, arXiv:1806.07421, eq. 6",
     .aliases = "randomizedinputsampling",
     .is_signed = false,
     .defaults = Rise()},
    {.name = "score_cam",
     .summary =
         "Channels weighted by the score of what each leaves of the image",
     .formula = "(sum_k softmax_k(score(input . H_k)) x_k)+, H_k = x_k resized "
                "and stretched to [0,1]",
     .source = "Wang et al. 2020, arXiv:1910.01279, eq. 3 to 6",
     .aliases = "",
     .is_signed = false,
     .defaults = ScoreCam()},
    {.name = "smooth_grad",
     .summary = "Mean over noisy copies of the input, of gradient unless told",
     .formula = "mean_s m(x + noise_s)",
     .source = "Smilkov et al. 2017, arXiv:1706.03825",
     .aliases = "smoothgradients noisetunnel",
     .is_signed = false,
     .defaults = SmoothGrad()},
    {.name = "smooth_grad_squared",
     .summary = "Mean of squares over noisy copies of the input",
     .formula = "mean_s m(x + noise_s)^2",
     .source = "Hooker et al. 2019, arXiv:1806.10758",
     .aliases = "smoothgradsq smoothgrad2",
     .is_signed = false,
     .defaults = SmoothGrad{.statistic = SampleStatistic::kMeanOfSquares}},
    {.name = "var_grad",
     .summary = "Variance over noisy copies of the input",
     .formula = "mean_s (m(x + noise_s) - mean)^2",
     .source = "Adebayo et al. 2018, arXiv:1810.03307",
     .aliases = "",
     .is_signed = false,
     .defaults = SmoothGrad{.statistic = SampleStatistic::kVariance}},
};

bool GoesBy(const SamplingMethod& method, const std::string& folded) {
  if (FoldedName(method.name) == folded) return true;
  const std::vector<std::string> aliases =
      absl::StrSplit(method.aliases, ' ', absl::SkipEmpty());
  return std::find(aliases.begin(), aliases.end(), folded) != aliases.end();
}

}  // namespace

absl::Span<const SamplingMethod> AllSamplingMethods() {
  return kSamplingMethods;
}

const SamplingMethod* FindSamplingMethod(absl::string_view name) {
  const std::string folded = FoldedName(name.substr(0, 128));
  for (const SamplingMethod& method : kSamplingMethods) {
    if (GoesBy(method, folded)) return &method;
  }
  return nullptr;
}

int64_t OcclusionPatch(const Occlusion& method, int64_t height, int64_t width) {
  const int64_t shorter = std::min(height, width);
  return method.patch_size.value_or(
      static_cast<int>(std::max<int64_t>(shorter / kPatchesAlongSide, 1)));
}

int64_t OcclusionStride(const Occlusion& method, int64_t height,
                        int64_t width) {
  const int64_t half = OcclusionPatch(method, height, width) / 2;
  return method.stride.value_or(static_cast<int>(std::max<int64_t>(half, 1)));
}

int64_t SampleCount(const Sampling& sampling, int64_t height, int64_t width) {
  if (const auto* smooth = std::get_if<SmoothGrad>(&sampling)) {
    return smooth->samples;
  }
  if (const auto* path = std::get_if<IntegratedGradients>(&sampling)) {
    return path->steps;
  }
  if (const auto* rise = std::get_if<Rise>(&sampling)) return rise->masks;
  if (const auto* lime = std::get_if<Lime>(&sampling)) return lime->samples;
  if (const auto* shap = std::get_if<KernelShap>(&sampling)) {
    return 1 + shap->samples;  // the baseline's
  }
  if (const auto* channels = std::get_if<ScoreCam>(&sampling)) {
    return channels->channels;
  }
  return OcclusionWindows(std::get<Occlusion>(sampling), height, width).count();
}

std::string SamplingName(const Sampling& sampling) {
  if (std::holds_alternative<IntegratedGradients>(sampling)) {
    return "integrated_gradients";
  }
  if (std::holds_alternative<Occlusion>(sampling)) return "occlusion";
  if (std::holds_alternative<Rise>(sampling)) return "rise";
  if (std::holds_alternative<Lime>(sampling)) return "lime";
  if (std::holds_alternative<KernelShap>(sampling)) return "kernel_shap";
  if (std::holds_alternative<ScoreCam>(sampling)) return "score_cam";
  switch (std::get<SmoothGrad>(sampling).statistic) {
    case SampleStatistic::kMean:
      return "smooth_grad";
    case SampleStatistic::kMeanOfSquares:
      return "smooth_grad_squared";
    case SampleStatistic::kVariance:
      return "var_grad";
  }
  return "";
}

bool operator==(const IntegratedGradients& a, const IntegratedGradients& b) {
  if (a.baseline != b.baseline || a.steps != b.steps) return false;
  if (a.baseline_image == nullptr || b.baseline_image == nullptr) {
    return a.baseline_image == b.baseline_image;
  }
  return *a.baseline_image == *b.baseline_image;
}

absl::Status CheckSampling(const Sampling& sampling) {
  return std::visit([](const auto& method) { return Check(method); }, sampling);
}

absl::Status CheckSamplingFits(const Sampling& sampling, int64_t height,
                               int64_t width) {
  const auto* occlusion = std::get_if<Occlusion>(&sampling);
  if (occlusion == nullptr) return absl::OkStatus();
  const int64_t patch = OcclusionPatch(*occlusion, height, width);
  RETURN_IF_ERROR(CheckRange("occlusion.patch_size", patch, int64_t{1},
                             std::min(height, width)));
  return CheckRange("occlusion.stride",
                    OcclusionStride(*occlusion, height, width), int64_t{1},
                    patch);
}

}  // namespace saliency
