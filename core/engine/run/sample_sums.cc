#include "core/engine/run/sample_sums.h"

#include <ATen/ATen.h>

#include <cstddef>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "core/base/status.h"

namespace saliency {
namespace {

void AddTo(const at::Tensor& more, at::Tensor& sum) {
  if (!more.defined()) return;
  if (sum.defined()) {
    sum.add_(more);
  } else {
    sum = more;
  }
}

void AddMap(absl::StatusOr<at::Tensor> more, absl::StatusOr<at::Tensor>& sum) {
  if (!sum.ok()) return;
  if (more.ok()) {
    AddTo(*more, *sum);
  } else {
    sum = more.status();
  }
}

bool NeedsSquares(SampleStatistic statistic) {
  return statistic != SampleStatistic::kMean;
}

at::Tensor Statistic(SampleStatistic statistic, const at::Tensor& mean,
                     const at::Tensor& squares) {
  switch (statistic) {
    case SampleStatistic::kMean:
      return mean;
    case SampleStatistic::kMeanOfSquares:
      return squares;
    case SampleStatistic::kVariance:
      return (squares - mean * mean).clamp_min(0);
  }
  return mean;
}

using Activations = absl::Span<const absl::StatusOr<at::Tensor>>;

// The map of what the samples' maps came to, as SampledInputs::finish makes it.
absl::StatusOr<at::Tensor> Finished(const SampledInputs& inputs,
                                    const at::Tensor& made, int64_t image,
                                    double score,
                                    Activations mask_activations) {
  if (!inputs.finish) return made.to(at::kFloat);
  SampledImage of = {.number = image};
  if (!mask_activations.empty()) {
    ASSIGN_OR_RETURN(of.activation, mask_activations[image]);
  }
  return inputs.finish(of, made, score).to(at::kFloat);
}

}  // namespace

VariantAnswer EmptySums(const Variant& variant, int64_t rows) {
  const std::size_t maps = rows * variant.attributions.size();
  VariantAnswer sums;
  sums.score.resize(rows);
  sums.maps.resize(maps, at::Tensor());
  if (NeedsSquares(variant.samples->statistic)) sums.squares.resize(maps);
  return sums;
}

void AddSample(const SampledInputs& inputs, int64_t sample,
               const at::Tensor& map, int64_t slot, VariantAnswer& sums) {
  const at::Tensor wide = map.to(at::kDouble);
  const double weight = inputs.weights[sample];
  AddMap(wide * weight, sums.maps[slot]);
  if (NeedsSquares(inputs.statistic)) {
    AddTo(wide * wide * weight, sums.squares[slot]);
  }
}

void AddSums(VariantAnswer part, int64_t first_row, VariantAnswer& sums) {
  if (part.score.empty()) return;
  const std::size_t maps = part.maps.size() / part.score.size();
  const std::size_t first = first_row * maps;
  for (std::size_t r = 0; r < part.score.size(); ++r) {
    sums.score[first_row + r] += part.score[r];
  }
  for (std::size_t m = 0; m < part.maps.size(); ++m) {
    AddMap(std::move(part.maps[m]), sums.maps[first + m]);
  }
  for (std::size_t m = 0; m < part.squares.size(); ++m) {
    AddTo(part.squares[m], sums.squares[first + m]);
  }
  if (part.warnings.empty()) return;
  sums.warnings.resize(sums.maps.size());
  for (std::size_t m = 0; m < part.warnings.size(); ++m) {
    std::string& warning = sums.warnings[first + m];
    if (warning.empty()) warning = std::move(part.warnings[m]);
  }
}

void FinishSamples(
    const SampledInputs& inputs, absl::Span<const float> scores,
    int64_t targets, VariantAnswer& answer,
    absl::Span<const absl::StatusOr<at::Tensor>> mask_activations) {
  const std::size_t maps =
      answer.maps.empty() ? 0 : answer.maps.size() / scores.size();
  for (std::size_t m = 0; m < answer.maps.size(); ++m) {
    absl::StatusOr<at::Tensor>& map = answer.maps[m];
    if (!map.ok()) continue;
    if (!map->defined()) {
      map = absl::InternalError("no map was made");
      continue;
    }
    const at::Tensor made =
        Statistic(inputs.statistic, *map,
                  answer.squares.empty() ? at::Tensor() : answer.squares[m]);
    const std::size_t row = m / maps;
    map = Finished(inputs, made, static_cast<int64_t>(row) / targets,
                   scores[row], mask_activations);
  }
  answer.squares.clear();
}

}  // namespace saliency
