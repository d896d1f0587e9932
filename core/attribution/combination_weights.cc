#include "core/attribution/combination_weights.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"

namespace saliency {
namespace {

// The gamma of the weightings that are given none.
std::vector<double> GammaOf(Weighting weighting, int layers) {
  std::vector<double> gamma;
  for (int j = 1; j <= layers; ++j) {
    gamma.push_back(weighting == Weighting::kLinear ? j : 1);
  }
  return gamma;
}

absl::Status CheckGamma(absl::Span<const double> gamma) {
  for (std::size_t j = 0; j < gamma.size(); ++j) {
    if (gamma[j] >= 0 && std::isfinite(gamma[j])) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "weight ", gamma[j], " of layer ", j, " is not a number >= 0"));
  }
  const bool all_zero =
      std::all_of(gamma.begin(), gamma.end(), [](double g) { return g == 0; });
  if (!all_zero) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "the weights of all ", gamma.size(), " layers are 0: they add up to 0"));
}

// Divided by the largest first: numbers near the end of double must neither
// overflow in the sum nor vanish in the quotient.
std::vector<double> ScaledToOne(absl::Span<const double> gamma) {
  const double largest = *std::max_element(gamma.begin(), gamma.end());
  double sum = 0;
  for (const double g : gamma) sum += g / largest;
  std::vector<double> weights;
  weights.reserve(gamma.size());
  for (const double g : gamma) weights.push_back(g / largest / sum);
  return weights;
}

}  // namespace

absl::string_view WeightingName(Weighting weighting) {
  switch (weighting) {
    case Weighting::kUniform:
      return "uniform";
    case Weighting::kLinear:
      return "linear";
    case Weighting::kExplicit:
      return "explicit";
    case Weighting::kFeatureSpread:
      return "feature_spread";
    case Weighting::kClassificationAccuracy:
      return "classification_accuracy";
  }
  return "";
}

bool IsCalibrated(Weighting weighting) {
  return weighting == Weighting::kFeatureSpread ||
         weighting == Weighting::kClassificationAccuracy;
}

absl::StatusOr<CombinationWeights> CombinationWeights::Create(
    Weighting weighting, int layers, absl::Span<const double> gamma) {
  if (layers < 1) {
    return absl::InvalidArgumentError("there is no layer to combine");
  }
  const bool needs_none =
      weighting == Weighting::kUniform || weighting == Weighting::kLinear;
  const int wanted = needs_none ? 0 : layers;
  if (static_cast<int>(gamma.size()) != wanted) {
    return absl::InvalidArgumentError(
        absl::StrCat(WeightingName(weighting), " weighting of ", layers,
                     " layers takes ", wanted, " weights, not ", gamma.size()));
  }
  if (needs_none) {
    return CombinationWeights(ScaledToOne(GammaOf(weighting, layers)));
  }
  RETURN_IF_ERROR(CheckGamma(gamma));
  return CombinationWeights(ScaledToOne(gamma));
}

}  // namespace saliency
