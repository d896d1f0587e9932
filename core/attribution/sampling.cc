#include "core/attribution/sampling.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/near_names.h"

namespace saliency {
namespace {

constexpr int kMaxSamples = 1000;
constexpr double kMaxNoiseLevel = 10;

absl::Status CheckCount(const char* field, int count, int least) {
  if (count >= least && count <= kMaxSamples) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      field, ": ", count, " not in [", least, ", ", kMaxSamples, "]"));
}

const SamplingMethod kSamplingMethods[] = {
    {.name = "integrated_gradients",
     .summary =
         "Displacement from a baseline times the mean gradient on the way",
     .formula = "sum_k (x_k - x'_k) mean_a g_k(x' + a (x - x'))",
     .source = "Sundararajan et al. 2017, arXiv:1703.01365, eq. 1",
     .aliases = "integratedgradient integratedgrad ig",
     .is_signed = true,
     .defaults = IntegratedGradients()},
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

int64_t SampleCount(const Sampling& sampling) {
  if (const auto* smooth = std::get_if<SmoothGrad>(&sampling)) {
    return smooth->samples;
  }
  return std::get<IntegratedGradients>(sampling).steps;
}

std::string SamplingName(const Sampling& sampling) {
  const auto* smooth = std::get_if<SmoothGrad>(&sampling);
  if (smooth == nullptr) return "integrated_gradients";
  switch (smooth->statistic) {
    case SampleStatistic::kMean:
      return "smooth_grad";
    case SampleStatistic::kMeanOfSquares:
      return "smooth_grad_squared";
    case SampleStatistic::kVariance:
      return "var_grad";
  }
  return "";
}

absl::Status CheckSampling(const Sampling& sampling) {
  const auto* smooth = std::get_if<SmoothGrad>(&sampling);
  if (smooth == nullptr) {
    return CheckCount("steps", std::get<IntegratedGradients>(sampling).steps,
                      1);
  }
  if (!(smooth->noise_level >= 0 && smooth->noise_level <= kMaxNoiseLevel)) {
    return absl::InvalidArgumentError(
        absl::StrCat("noise_level: ", smooth->noise_level, " not in [0, ",
                     kMaxNoiseLevel, "]"));
  }
  return CheckCount("samples", smooth->samples,
                    smooth->statistic == SampleStatistic::kVariance ? 2 : 1);
}

}  // namespace saliency
