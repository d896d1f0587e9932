#include "core/attribution/sampling.h"

#include "absl/strings/str_cat.h"

namespace saliency {
namespace {

constexpr int kMaxSamples = 1000;
constexpr double kMaxNoiseLevel = 10;

absl::Status CheckCount(const char* field, int count, int least) {
  if (count >= least && count <= kMaxSamples) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      field, ": ", count, " not in [", least, ", ", kMaxSamples, "]"));
}

}  // namespace

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
