#include "core/engine/run/pass_explainer.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/status.h"
#include "core/engine/inputs_rule.h"
#include "core/engine/run/aggregate_pass.h"
#include "core/engine/run/sample_sums.h"
#include "core/model/torch_status.h"

namespace saliency {
namespace {

bool AllCancelled(absl::Span<const PassItem* const> items) {
  return std::all_of(items.begin(), items.end(), [](const PassItem* item) {
    return item->cancel != nullptr && item->cancel->cancelled();
  });
}

PassAnswers EmptyAnswers(absl::Span<const PassItem* const> items) {
  PassAnswers answers;
  for (const PassItem* item : items) {
    const auto rows = static_cast<std::size_t>(item->rows());
    PassAnswer answer;
    answer.class_index.resize(rows);
    for (const Variant& variant : item->variants) {
      if (variant.samples != nullptr) {
        answer.variants.push_back(EmptySums(variant, item->rows()));
        continue;
      }
      VariantAnswer& made = answer.variants.emplace_back();
      made.score.resize(rows);
      made.maps.resize(rows * variant.attributions.size(),
                       absl::InternalError("no map was made"));
    }
    answer.pooled.resize(item->input.size(0) * item->pooled_layers.size());
    answers.items.push_back(std::move(answer));
  }
  return answers;
}

int64_t RowInItem(const PassItem& item, const BatchRow& row) {
  return row.image * static_cast<int64_t>(item.targets.size()) + row.target;
}

// Row `row` of `from` as row `to` of `all`, which has `rows` rows in the end.
void StoreLogits(const at::Tensor& from, int64_t row, int64_t rows, int64_t to,
                 at::Tensor& all) {
  if (!all.defined()) all = at::empty({rows, from.size(1)}, at::kFloat);
  all.select(0, to).copy_(from.select(0, row));
}

double WeightOf(const PassItem& item, const BatchRow& row) {
  return item.variants[row.variant].samples->weights[row.sample];
}

void StoreScores(absl::Span<const PassItem* const> items,
                 absl::Span<const BatchRow> rows, const PassChunk& chunk,
                 const ProbeResult& result, PassAnswers& answers) {
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const PassItem& item = *items[rows[r].item];
    PassAnswer& answer = answers.items[rows[r].item];
    const int64_t row = RowInItem(item, rows[r]);
    VariantAnswer& made = answer.variants[rows[r].variant];
    if (rows[r].sample >= 0) {
      made.score[row] +=
          static_cast<float>(WeightOf(item, rows[r])) * result.score[r];
      continue;
    }
    made.score[row] = result.score[r];
    if (item.variants[rows[r].variant].meta.has_value()) {
      StoreLogits(result.stepped_logits, static_cast<int64_t>(r), item.rows(),
                  row, made.stepped_logits);
    }
    if (rows[r].variant > 0) continue;
    answer.class_index[row] = result.class_index[r];
    StoreLogits(result.logits, chunk.request.rows[r].image, item.input.size(0),
                rows[r].image, answer.logits);
  }
}

// Where the map of a group's i-th row belongs, in its variant's maps.
int64_t MapSlot(const PassItem& item, const BatchRow& row,
                const MapGroup& group, std::size_t i) {
  const auto maps =
      static_cast<int64_t>(item.variants[row.variant].attributions.size());
  return RowInItem(item, row) * maps + group.slots[i];
}

void StoreMaps(absl::Span<const PassItem* const> items,
               absl::Span<const BatchRow> rows, const PassChunk& chunk,
               const std::vector<absl::StatusOr<at::Tensor>>& maps,
               PassAnswers& answers) {
  for (std::size_t g = 0; g < chunk.groups.size(); ++g) {
    const MapGroup& group = chunk.groups[g];
    for (std::size_t i = 0; i < group.rows.size(); ++i) {
      const BatchRow& row = rows[group.rows[i]];
      const int64_t slot = MapSlot(*items[row.item], row, group, i);
      VariantAnswer& made = answers.items[row.item].variants[row.variant];
      absl::StatusOr<at::Tensor>& map = made.maps[slot];
      if (!maps[g].ok()) {
        map = maps[g].status();
        continue;
      }
      const at::Tensor one = maps[g]->select(0, static_cast<int64_t>(i));
      if (row.sample < 0) {
        map = one;
      } else {
        AddSample(*items[row.item]->variants[row.variant].samples, row.sample,
                  one, slot, made);
      }
    }
  }
}

absl::Status NotReached(const std::string& layer) {
  return absl::FailedPreconditionError(absl::StrCat(
      "the pass of this image does not come by layer \"", layer, "\""));
}

bool Missed(const ProbeResult& result, int probe, int64_t row) {
  return probe >= 0 && !result.records[probe].missed.empty() &&
         result.records[probe].missed[row];
}

// Rows whose pass did not come by a layer get that for an answer and leave the
// layer's group.
void TakeOutMissed(absl::Span<const PassItem* const> items,
                   absl::Span<const BatchRow> rows, const ProbeResult& result,
                   PassChunk& chunk, PassAnswers& answers) {
  for (MapGroup& group : chunk.groups) {
    if (group.main_probe < 0) continue;  // it comes by no layer
    MapGroup left = group;
    left.rows.clear();
    left.slots.clear();
    left.others.clear();
    left.activations.clear();
    for (std::size_t i = 0; i < group.rows.size(); ++i) {
      if (!Missed(result, group.main_probe, group.rows[i]) &&
          !Missed(result, group.input_probe, group.rows[i])) {
        left.rows.push_back(group.rows[i]);
        left.slots.push_back(group.slots[i]);
        left.others.push_back(group.others[i]);
        if (!group.activations.empty()) {
          left.activations.push_back(group.activations[i]);
        }
        continue;
      }
      const BatchRow& row = rows[group.rows[i]];
      const int64_t slot = MapSlot(*items[row.item], row, group, i);
      answers.items[row.item].variants[row.variant].maps[slot] =
          NotReached(group.layer);
    }
    group = std::move(left);
  }
  std::erase_if(chunk.groups,
                [](const MapGroup& group) { return group.rows.empty(); });
}

absl::Status CheckPools(const PassChunk& chunk, const ProbeResult& result) {
  for (const PoolGroup& pool : chunk.pools) {
    for (const int64_t row : pool.rows) {
      if (!Missed(result, pool.probe, row)) continue;
      return NotReached(chunk.request.probes[pool.probe].layer);
    }
  }
  return absl::OkStatus();
}

void StoreWarnings(absl::Span<const PassItem* const> items,
                   absl::Span<const BatchRow> rows, const ProbeResult& result,
                   const PassChunk& chunk, PassAnswers& answers) {
  for (const MapGroup& group : chunk.groups) {
    if (group.main_probe < 0) continue;
    const std::vector<std::string>& reasons =
        result.records[group.main_probe].no_gradient;
    const bool wants_gradient =
        RuleOf(group.attribution.method_inputs()).needs_gradient;
    if (reasons.empty() || !wants_gradient) continue;
    for (std::size_t i = 0; i < group.rows.size(); ++i) {
      const std::string& reason = reasons[group.rows[i]];
      if (reason.empty()) continue;
      const BatchRow& row = rows[group.rows[i]];
      VariantAnswer& made = answers.items[row.item].variants[row.variant];
      made.warnings.resize(made.maps.size());
      made.warnings[MapSlot(*items[row.item], row, group, i)] = absl::StrCat(
          "no gradient reaches layer \"", group.layer, "\": ", reason);
    }
  }
}

void StorePooled(absl::Span<const PassItem* const> items,
                 absl::Span<const BatchRow> rows, const PassChunk& chunk,
                 const std::vector<at::Tensor>& pooled, PassAnswers& answers) {
  for (std::size_t p = 0; p < chunk.pools.size(); ++p) {
    const PoolGroup& pool = chunk.pools[p];
    for (std::size_t i = 0; i < pool.rows.size(); ++i) {
      const BatchRow& row = rows[pool.rows[i]];
      const auto layers =
          static_cast<int64_t>(items[row.item]->pooled_layers.size());
      answers.items[row.item].pooled[row.image * layers + pool.slots[i]] =
          pooled[p].select(0, static_cast<int64_t>(i));
    }
  }
}

}  // namespace

absl::StatusOr<PassAnswers> PassExplainer::Explain(
    absl::Span<const PassItem* const> items) {
  const at::NoGradGuard no_grad;
  PassAnswers answers = EmptyAnswers(items);
  for (const std::vector<BatchRow>& rows : FirstRowsOf(items)) {
    RETURN_IF_ERROR(RunRows(items, rows, answers));
  }
  for (const std::vector<BatchRow>& rows : OtherRowsOf(items, answers)) {
    RETURN_IF_ERROR(RunRows(items, rows, answers));
  }
  return answers;
}

int64_t PassExplainer::RowsAtOnce(const PassItem& item,
                                  const Variant& variant) const {
  const bool row_by_row =
      model_.meta_path() == MetaPath::kReference || !variant.rule.is_gradient();
  if (variant.meta.has_value() && row_by_row) return 1;
  const std::vector<int64_t>& measured = model_.layers().front().shape;
  const int64_t pixels = item.input.size(2) * item.input.size(3);
  return std::clamp<int64_t>(
      options_.max_rows * measured[1] * measured[2] / pixels, 1,
      options_.max_rows);
}

absl::Status PassExplainer::RunRows(absl::Span<const PassItem* const> items,
                                    absl::Span<const BatchRow> rows,
                                    PassAnswers& answers) {
  const PassItem& any = *items[rows.front().item];
  const Variant& variant = any.variants[rows.front().variant];
  auto at_once = static_cast<std::size_t>(RowsAtOnce(any, variant));
  for (std::size_t first = 0; first < rows.size();) {
    if (AllCancelled(items)) return absl::CancelledError("cancelled");
    const auto chunk = rows.subspan(first, at_once);
    const absl::Status status = RunChunk(items, chunk, answers);
    if (absl::IsResourceExhausted(status) && chunk.size() > 1) {
      at_once = chunk.size() / 2;
      ++answers.out_of_memory_retries;
      continue;
    }
    RETURN_IF_ERROR(status);
    first += chunk.size();
  }
  return absl::OkStatus();
}

absl::Status PassExplainer::RunChunk(absl::Span<const PassItem* const> items,
                                     absl::Span<const BatchRow> rows,
                                     PassAnswers& answers) {
  return CatchTorch(absl::StatusCode::kInternal, "aggregating maps", [&] {
    return model_.OnStream([&] { return RunPass(items, rows, answers); });
  });
}

absl::Status PassExplainer::RunPass(absl::Span<const PassItem* const> items,
                                    absl::Span<const BatchRow> rows,
                                    PassAnswers& answers) {
  PassChunk chunk = MakeChunk(items, rows);
  if (absl::StartsWith(model_.device(), "cuda")) {
    chunk.request.input = chunk.request.input.pin_memory();
  }
  ASSIGN_OR_RETURN(ProbeResult result, model_.Run(chunk.request));
  RETURN_IF_ERROR(CheckPools(chunk, result));
  StoreScores(items, rows, chunk, result, answers);
  TakeOutMissed(items, rows, result, chunk, answers);
  StoreWarnings(items, rows, result, chunk, answers);
  answers.forward_time += result.forward_time;
  answers.backward_time += result.backward_time;
  const absl::Time start = absl::Now();
  ASSIGN_OR_RETURN(const AggregatedPass pass,
                   AggregatePass(chunk, std::move(result), model_));
  StoreMaps(items, rows, chunk, pass.maps, answers);
  StorePooled(items, rows, chunk, pass.pooled, answers);
  answers.aggregate_time += absl::Now() - start;
  ++passes_;
  return absl::OkStatus();
}

}  // namespace saliency
