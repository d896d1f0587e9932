// Methods that run variations of the input: averages of another method's maps,
// and scores with parts of the image hidden.
// Value types; what they come to is made by the engine, sample by sample.

#ifndef SALIENCY_CORE_ATTRIBUTION_SAMPLING_H_
#define SALIENCY_CORE_ATTRIBUTION_SAMPLING_H_

#include <cstdint>
#include <memory>
#include <optional>
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

// An image that tells nothing: what a path starts from, and what stands where
// an image is hidden.
enum class Baseline {
  kBlack,    // 0 before preprocessing
  kMean,     // 0 after it: the mean that is subtracted
  kBlurred,  // the image itself, by a Gaussian whose standard deviation is
             // kBlur of the longer side
};
inline constexpr double kBlur = 0.05;

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
  using Baseline = saliency::Baseline;
  Baseline baseline = Baseline::kBlack;
  int steps = 50;  // in [1, 1000]
  // The baseline itself, an encoded image, instead of `baseline`; null: none.
  std::shared_ptr<const std::string> baseline_image;

  // By the image's bytes.
  friend bool operator==(const IntegratedGradients& a,
                         const IntegratedGradients& b);
};

// Occlusion: a window slides over the image and hides what lies in it.  A pixel
// gets the mean over the windows that hold it of score(x) - score(x hidden).
//
// Source: Zeiler, Fergus, ECCV 2014, arXiv:1311.2901, sec. 4.2.
struct Occlusion {
  Baseline baseline = Baseline::kMean;
  // In pixels of the model's input; in [1, 4096].  Absent: an eighth of the
  // shorter side.
  std::optional<int> patch_size;
  // From window to window; in [1, patch size].  Absent: half the patch.
  std::optional<int> stride;

  friend bool operator==(const Occlusion&, const Occlusion&) = default;
};

// The window's side and step on an input of this size; 1 or more.
int64_t OcclusionPatch(const Occlusion& method, int64_t height, int64_t width);
int64_t OcclusionStride(const Occlusion& method, int64_t height, int64_t width);

// RISE: sum_s score(x . M_s + x' (1 - M_s)) M_s(u) / (n p) over n random masks
// that leave a pixel with probability p.
//
// Source: Petsiuk, Das, Saenko, BMVC 2018, arXiv:1806.07421, eq. 6 and
// sec. 3.2.
struct Rise {
  Baseline baseline = Baseline::kMean;
  int masks = 4000;               // in [1, 20000]
  int cells = 7;                  // along each side of a mask; in [2, 64]
  double keep_probability = 0.5;  // of a cell; in [0.01, 0.99]
  // The same seed gives the same masks, whatever else is in the batch.
  uint64_t seed = 0;

  friend bool operator==(const Rise&, const Rise&) = default;
};

// LIME: the coefficients of a linear model of the score over which superpixels
// are left, by ridge regression over n samples that hide each superpixel with
// probability 1/2, those nearer to the image weighing more.
//
// Source: Ribeiro, Singh, Guestrin, KDD 2016, arXiv:1602.04938, sec. 3.
struct Lime {
  Baseline baseline = Baseline::kMean;
  int samples = 1000;       // the image itself is one; in [2, 20000]
  int segments = 50;        // superpixels at most; in [2, 256]
  double compactness = 10;  // of them, as SlicOptions; in [0.01, 1000]
  double ridge = 1;         // times |coefficients|^2; in [0, 1e6]
  // Of the exponential kernel, on the cosine distance; in [0.01, 100].
  double kernel_width = 0.25;
  // The same seed gives the same samples, whatever else is in the batch.
  uint64_t seed = 0;

  friend bool operator==(const Lime&, const Lime&) = default;
};

// Kernel SHAP: the Shapley values of superpixels, whose sum is score(x) -
// score(x'), by least squares over n coalitions of those that are left.  They
// are exact where n is as many as there are.
//
// Source: Lundberg, Lee, NeurIPS 2017, arXiv:1705.07874, theorem 2.
struct KernelShap {
  Baseline baseline = Baseline::kMean;
  int samples = 1000;       // coalitions, beside none and all; in [2, 20000]
  int segments = 50;        // as Lime
  double compactness = 10;  // as Lime
  uint64_t seed = 0;        // as Lime

  friend bool operator==(const KernelShap&, const KernelShap&) = default;
};

// Score-CAM: each channel of a layer masks the image (score_cam.h).
struct ScoreCam {
  // Known once it is planned at a layer; else empty and 0.
  std::string layer;
  int64_t channels = 0;

  friend bool operator==(const ScoreCam&, const ScoreCam&) = default;
};

using Sampling = std::variant<SmoothGrad, IntegratedGradients, Occlusion, Rise,
                              Lime, KernelShap, ScoreCam>;

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

// Over a model's input of this size; of KernelShap at most.
int64_t SampleCount(const Sampling& sampling, int64_t height, int64_t width);
// "smooth_grad", "smooth_grad_squared", "var_grad", "integrated_gradients",
// "occlusion", "rise", "lime", "kernel_shap", "score_cam".
std::string SamplingName(const Sampling& sampling);
// Errors: INVALID_ARGUMENT naming the field, the value and the limit.
absl::Status CheckSampling(const Sampling& sampling);
// Whether it can be had of a model's input of this size.
// Errors: INVALID_ARGUMENT naming the field, the value and the limit.
absl::Status CheckSamplingFits(const Sampling& sampling, int64_t height,
                               int64_t width);

}  // namespace saliency

#endif  // SALIENCY_CORE_ATTRIBUTION_SAMPLING_H_
