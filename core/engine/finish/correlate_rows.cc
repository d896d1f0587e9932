#include "core/engine/finish/correlate_rows.h"

#include <ATen/ATen.h>

#include <cstddef>

#include "core/attribution/measures.h"
#include "core/engine/finish/finish_combination.h"

namespace saliency {
namespace {

std::optional<double> Alikeness(const absl::StatusOr<at::Tensor>& a,
                                const absl::StatusOr<at::Tensor>& b) {
  if (!a.ok() || !b.ok()) return std::nullopt;
  return Spearman(*a, *b).front();
}

absl::StatusOr<at::Tensor> Absolute(absl::StatusOr<at::Tensor> map) {
  if (map.ok()) map = map->abs();
  return map;
}

}  // namespace

void AddCorrelations(const std::shared_ptr<const FinishRow>& a,
                     const std::shared_ptr<const FinishRow>& b,
                     const PreparedJob& prepared, Pieces& pieces,
                     const RowCorrelations& correlations) {
  for (const PlannedResult& plan : prepared.results) {
    pieces.Add([a, b, &plan, correlations] {
      correlations.results.push_back(
          Alikeness(SizedMap(*a, plan), SizedMap(*b, plan)));
      return absl::OkStatus();
    });
  }
  auto of_a = std::make_shared<JoinedMaps>();
  auto of_b = std::make_shared<JoinedMaps>();
  AddJoinedMaps(a, prepared.combinations, prepared.layer_results, pieces, of_a);
  AddJoinedMaps(b, prepared.combinations, prepared.layer_results, pieces, of_b);
  for (std::size_t i = 0; i < prepared.combinations.size(); ++i) {
    pieces.Add([i, of_a, of_b, correlations] {
      correlations.combined.push_back(Alikeness((*of_a)[i], (*of_b)[i]));
      return absl::OkStatus();
    });
  }
}

void AddAbsoluteCorrelations(const std::shared_ptr<const FinishRow>& a,
                             const std::shared_ptr<const FinishRow>& b,
                             const PreparedJob& prepared, Pieces& pieces,
                             std::vector<std::optional<double>>& correlations) {
  for (const PlannedResult& plan : prepared.results) {
    pieces.Add([a, b, &plan, &correlations] {
      correlations.push_back(Alikeness(Absolute(SizedMap(*a, plan)),
                                       Absolute(SizedMap(*b, plan))));
      return absl::OkStatus();
    });
  }
}

}  // namespace saliency
