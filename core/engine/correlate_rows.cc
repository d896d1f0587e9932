#include "core/engine/correlate_rows.h"

#include <ATen/ATen.h>

#include <cstddef>

#include "core/attribution/measures.h"
#include "core/engine/finish_combination.h"

namespace saliency {
namespace {

std::optional<double> Alikeness(const absl::StatusOr<at::Tensor>& a,
                                const absl::StatusOr<at::Tensor>& b) {
  if (!a.ok() || !b.ok()) return std::nullopt;
  return Spearman(*a, *b).front();
}

}  // namespace

RowCorrelations CorrelateRows(const FinishRow& a, const FinishRow& b,
                              const PreparedJob& prepared) {
  RowCorrelations correlations;
  for (const PlannedResult& plan : prepared.results) {
    correlations.results.push_back(
        Alikeness(SizedMap(a, plan), SizedMap(b, plan)));
  }
  const auto combined_a =
      JoinCombinations(a, prepared.combinations, prepared.layer_results);
  const auto combined_b =
      JoinCombinations(b, prepared.combinations, prepared.layer_results);
  for (std::size_t i = 0; i < combined_a.size(); ++i) {
    correlations.combined.push_back(Alikeness(combined_a[i], combined_b[i]));
  }
  return correlations;
}

std::vector<std::optional<double>> CorrelateAbsolutes(
    const FinishRow& a, const FinishRow& b, const PreparedJob& prepared) {
  const auto absolute = [](absl::StatusOr<at::Tensor> map) {
    if (map.ok()) map = map->abs();
    return map;
  };
  std::vector<std::optional<double>> correlations;
  for (const PlannedResult& plan : prepared.results) {
    correlations.push_back(
        Alikeness(absolute(SizedMap(a, plan)), absolute(SizedMap(b, plan))));
  }
  return correlations;
}

}  // namespace saliency
