#include "core/engine/finish/finish_combination.h"

#include <ATen/ATen.h>

#include <cstddef>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/attribution/combine.h"
#include "core/base/status.h"
#include "core/engine/finish/encode_map.h"

namespace saliency {
namespace {

using LayerMaps = std::vector<absl::StatusOr<NormalisedMaps>>;

absl::StatusOr<NormalisedMaps> NormalisedAt(const FinishRow& row,
                                            const PlannedResult& plan) {
  ASSIGN_OR_RETURN(const at::Tensor sized, SizedMap(row, plan));
  NormalisedMaps maps = NormaliseWithSummaries(sized);
  if (!maps.summaries.front().finite) return NotFinite(plan);
  return maps;
}

// The layers that take part: those of weight 0 may have no map at all.
struct Joined {
  at::Tensor map;  // [1,h,w]
  std::vector<LayerShare> shares;
};

absl::StatusOr<Joined> Join(const FinishRow& row,
                            const PlannedCombination& plan,
                            absl::Span<const PlannedResult> names,
                            const LayerMaps& maps) {
  Joined joined;
  std::vector<const NormalisedMaps*> taking_part;
  std::vector<double> gamma;
  std::vector<std::size_t> places;  // of these in the combination
  for (std::size_t j = 0; j < plan.layers.size(); ++j) {
    const absl::StatusOr<NormalisedMaps>& layer = maps[plan.layers[j]];
    const double weight = plan.weights->values()[j];
    joined.shares.push_back(
        {.layer = names[plan.layers[j]].layer,
         .constant = layer.ok() && layer->summaries.front().constant,
         .warning = WarningOf(row, names[plan.layers[j]])});
    if (weight == 0) continue;
    RETURN_IF_ERROR(layer.status());
    taking_part.push_back(&*layer);
    gamma.push_back(weight);
    places.push_back(j);
  }
  ASSIGN_OR_RETURN(
      const CombinationWeights weights,
      CombinationWeights::Create(Weighting::kExplicit,
                                 static_cast<int>(gamma.size()), gamma));
  CombinedMaps combined = Combine(taking_part, weights, plan.rule);
  for (std::size_t i = 0; i < places.size(); ++i) {
    joined.shares[places[i]].weight = combined.rows.front().weights[i];
  }
  joined.map = std::move(combined.maps);
  return joined;
}

std::string Title(const FinishRow& row, const PlannedCombination& plan,
                  const MapResult& result) {
  return absl::StrCat(RowTitle(row, result), CombineRuleName(plan.rule), " of ",
                      plan.layers.size(),
                      plan.layers.size() == 1 ? " layer" : " layers");
}

// The pixels: as the combination gives them, in [0,1].  An overlay's colours go
// from its smallest value to its largest.
absl::StatusOr<std::string> Encode(const FinishRow& row,
                                   const FinishedMap& placed,
                                   std::string title) {
  EncodeContext context = {.map = placed, .title = std::move(title)};
  if (IsOverlay(row.output.encoding)) {
    context.image = &*row.pixels;
    context.scale = FullScale(RangeOf(placed.summary, /*is_signed=*/false));
  }
  return EncodeMap(context, row.output);
}

absl::Status Finish(const FinishRow& row, const PlannedCombination& plan,
                    const Joined& joined, MapResult& result) {
  const MapSummary summary = SummariseMaps(joined.map).front();
  const FinishedMap placed =
      PlaceMap(joined.map, summary, summary.raw_min, row.placement, row.output);
  ASSIGN_OR_RETURN(result.data, Encode(row, placed, Title(row, plan, result)));
  result.encoding = row.output.encoding;
  Describe(placed, result);
  return absl::OkStatus();
}

CombinedResult OneCombination(const FinishRow& row,
                              const PlannedCombination& plan,
                              absl::Span<const PlannedResult> names,
                              const LayerMaps& maps) {
  CombinedResult named = {.map = {.status = plan.status,
                                  .image = row.image,
                                  .target = row.target,
                                  .attribution = plan.combination,
                                  .method = plan.method},
                          .weighting = plan.weighting,
                          .rule = plan.rule};
  if (!plan.status.ok()) return named;
  absl::StatusOr<Joined> joined = Join(row, plan, names, maps);
  named.map.status = joined.status();
  if (!joined.ok()) return named;
  CombinedResult result = named;
  result.map.explained = row.explained;
  result.map.others_text = row.others_text;
  result.map.score = row.score;
  named.map.status = Finish(row, plan, *joined, result.map);
  if (!named.map.status.ok()) return named;
  result.shares = std::move(joined->shares);
  return result;
}

// The pieces that make the layers' maps, each once; released with the last
// piece that uses them.
std::shared_ptr<LayerMaps> AddLayerMaps(
    const std::shared_ptr<const FinishRow>& row,
    absl::Span<const PlannedResult> layers, Pieces& pieces) {
  auto maps = std::make_shared<LayerMaps>();
  for (const PlannedResult& layer : layers) {
    pieces.Add([row, &layer, maps] {
      maps->push_back(NormalisedAt(*row, layer));
      return absl::OkStatus();
    });
  }
  return maps;
}

}  // namespace

void AddCombinations(std::shared_ptr<const FinishRow> row,
                     absl::Span<const PlannedCombination> combinations,
                     absl::Span<const PlannedResult> layers, Pieces& pieces,
                     std::vector<CombinedResult>& results) {
  if (combinations.empty()) return;
  const auto maps = AddLayerMaps(row, layers, pieces);
  for (const PlannedCombination& plan : combinations) {
    pieces.Add([row, &plan, layers, maps, &results] {
      results.push_back(OneCombination(*row, plan, layers, *maps));
      return absl::OkStatus();
    });
  }
}

void AddJoinedMaps(std::shared_ptr<const FinishRow> row,
                   absl::Span<const PlannedCombination> combinations,
                   absl::Span<const PlannedResult> layers, Pieces& pieces,
                   std::shared_ptr<JoinedMaps> joined_maps) {
  if (combinations.empty()) return;
  const auto maps = AddLayerMaps(row, layers, pieces);
  for (const PlannedCombination& plan : combinations) {
    pieces.Add([row, &plan, layers, maps, joined_maps] {
      joined_maps->push_back([&]() -> absl::StatusOr<at::Tensor> {
        RETURN_IF_ERROR(plan.status);
        ASSIGN_OR_RETURN(Joined joined, Join(*row, plan, layers, *maps));
        return std::move(joined.map);
      }());
      return absl::OkStatus();
    });
  }
}

}  // namespace saliency
