// Methods that average the maps of another method over variations of the input.
// Value types; what they come to is made by the engine, sample by sample.

#ifndef SALIENCY_CORE_ATTRIBUTION_SAMPLING_H_
#define SALIENCY_CORE_ATTRIBUTION_SAMPLING_H_

#include <cstdint>
#include <string>
#include <variant>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace saliency {

// What becomes of the maps m_s of n samples.
enum class SampleStatistic {
  kMean,           // sum_s m_s / n
  kMeanOfSquares,  // sum_s m_s^2 / n
  kVariance,       // sum_s (m_s - mean)^2 / n
};

// SmoothGrad: copies of the input with independent Gaussian noise.  The mean of
// squares is SmoothGrad squared, the variance VarGrad, both taken of maps.
//
// Source: Smilkov, Thorat, Kim, Viegas, Wattenberg 2017, arXiv:1706.03825;
// Adebayo et al. 2018, arXiv:1810.03307 (VarGrad); Hooker et al. 2019,
// arXiv:1806.10758 (squared).
struct SmoothGrad {
  SampleStatistic statistic = SampleStatistic::kMean;
  int samples = 50;  // in [1, 1000]; of kVariance at least 2
  // The noise's standard deviation, as a fraction of what lies between the
  // smallest and the largest value of the preprocessed image; in [0, 10].
  double noise_level = 0.15;
  // The same seed gives the same noise, whatever else is in the batch.
  uint64_t seed = 0;

  friend bool operator==(const SmoothGrad&, const SmoothGrad&) = default;
};

// Integrated gradients at the input: (x - x') times the mean gradient on the
// line from the baseline x' to x, summed over channels; the integral is taken
// by Gauss-Legendre quadrature.  The sum of a map comes near score(x) -
// score(x').
//
// Source: Sundararajan, Taly, Yan, ICML 2017, arXiv:1703.01365, eq. 1, 3.
struct IntegratedGradients {
  enum class Baseline {
    kBlack,  // 0 before preprocessing
    kMean,   // 0 after it: the mean that is subtracted
  };
  Baseline baseline = Baseline::kBlack;
  int steps = 50;  // in [1, 1000]

  friend bool operator==(const IntegratedGradients&,
                         const IntegratedGradients&) = default;
};

using Sampling = std::variant<SmoothGrad, IntegratedGradients>;

// A method of this kind as GetModel describes it.
struct SamplingMethod {
  const char* name;
  const char* summary;
  const char* formula;
  const char* source;
  const char* aliases;  // as Method::aliases
  bool is_signed;
  Sampling defaults;
};

absl::Span<const SamplingMethod> AllSamplingMethods();
// By its name or one of its aliases, whose case and punctuation do not count;
// null: there is none.
const SamplingMethod* FindSamplingMethod(absl::string_view name);

int64_t SampleCount(const Sampling& sampling);
// "smooth_grad", "smooth_grad_squared", "var_grad", "integrated_gradients".
std::string SamplingName(const Sampling& sampling);
// Errors: INVALID_ARGUMENT naming the field, the value and the limit.
absl::Status CheckSampling(const Sampling& sampling);

}  // namespace saliency

#endif  // SALIENCY_CORE_ATTRIBUTION_SAMPLING_H_
