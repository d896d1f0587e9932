#include "core/engine/run/pass_chunk.h"

#include <ATen/ATen.h>

#include <cstddef>
#include <map>
#include <utility>

#include "core/engine/inputs_rule.h"

namespace saliency {
namespace {

// Collects a pass row by row.
class ChunkBuilder {
 public:
  explicit ChunkBuilder(absl::Span<const PassItem* const> items)
      : items_(items) {}

  void Add(const BatchRow& row) {
    const PassItem& item = *items_[row.item];
    ProbeRow pass = {.image = ImageOf(row), .score = item.score};
    const Variant& variant = item.variants[row.variant];
    pass.meta = variant.meta;
    chunk_.request.rule = variant.rule;
    if (row.variant == 0) {
      pass.target = item.targets[row.target];
    } else {
      pass.target = ClassIndex{row.class_index};
    }
    pass.others = item.targets[row.target].others;
    chunk_.request.rows.push_back(pass);
    const auto pass_row = static_cast<int64_t>(chunk_.request.rows.size()) - 1;
    for (std::size_t a = 0; a < variant.attributions.size(); ++a) {
      // One copy serves all targets of an image.
      if (row.target > 0 && variant.attributions[a].attribution.is_of_image()) {
        continue;
      }
      MapGroup& group = GroupOf(variant.attributions[a]);
      group.rows.push_back(pass_row);
      if (row.sample >= 0 && variant.samples->activation) {
        group.activations.push_back(variant.samples->activation(sampled_));
      }
      if (row.sample >= 0 && variant.samples->region) {
        group.regions.push_back(
            variant.samples->region(sampled_, row.sample).unsqueeze(0));
      }
      group.slots.push_back(static_cast<int>(a));
      group.others.push_back(pass.others);
    }
    if (row.target == 0 && row.variant == 0 && row.sample < 0) {
      AddPools(item, pass_row);
    }
  }

  PassChunk Build() && {
    chunk_.request.input =
        images_.size() == 1 ? images_.front() : at::cat(images_);
    return std::move(chunk_);
  }

 private:
  // The pass's number for a row's image; rows of an image are neighbours.
  int64_t ImageOf(const BatchRow& row) {
    const bool is_same = row.item == last_.item && row.image == last_.image &&
                         row.sample == last_.sample &&
                         (row.sample < 0 || row.variant == last_.variant);
    if (images_.empty() || !is_same) {
      images_.push_back(row.sample < 0 ? Image(row) : Sample(row));
      last_ = row;
    }
    return static_cast<int64_t>(images_.size()) - 1;
  }

  // [1,C,H,W].  Samples of an image are neighbours and share its baseline.
  at::Tensor Sample(const BatchRow& row) {
    const Variant& variant = items_[row.item]->variants[row.variant];
    const SampledInputs& samples = *variant.samples;
    const bool is_same = last_.sample >= 0 && row.item == last_.item &&
                         row.image == last_.image &&
                         row.variant == last_.variant;
    if (!is_same) {
      sampled_ = {.input = Image(row),
                  .activation = variant.mask_activation,
                  .number = variant.first_image + row.image};
      if (samples.baseline) sampled_.baseline = samples.baseline(Image(row));
    }
    return samples.make(sampled_, row.sample);
  }

  // Of the caller, [1,C,H,W].
  at::Tensor Image(const BatchRow& row) const {
    return items_[row.item]->input.narrow(0, row.image, 1);
  }

  void AddPools(const PassItem& item, int64_t pass_row) {
    for (std::size_t l = 0; l < item.pooled_layers.size(); ++l) {
      PoolGroup& pool = PoolOf(item.pooled_layers[l]);
      pool.rows.push_back(pass_row);
      pool.slots.push_back(static_cast<int>(l));
    }
  }

  PoolGroup& PoolOf(const std::string& layer) {
    const auto [found, is_new] =
        pools_.try_emplace(layer, static_cast<int>(chunk_.pools.size()));
    if (is_new) {
      chunk_.pools.push_back(
          {.probe = ProbeAt({.layer = layer}, /*activation_only=*/true)});
    }
    return chunk_.pools[found->second];
  }

  MapGroup& GroupOf(const PassAttribution& wanted) {
    std::vector<int>& at_layer = groups_[wanted.layer];
    for (const int group : at_layer) {
      if (chunk_.groups[group].attribution == wanted.attribution) {
        return chunk_.groups[group];
      }
    }
    at_layer.push_back(static_cast<int>(chunk_.groups.size()));
    return chunk_.groups.emplace_back(NewGroup(wanted));
  }

  MapGroup NewGroup(const PassAttribution& wanted) {
    MapGroup group = {.attribution = wanted.attribution, .layer = wanted.layer};
    const InputsRule& rule = RuleOf(wanted.attribution.method_inputs());
    if (!rule.needs_activation) return group;
    group.main_probe = ProbeAt({.layer = wanted.layer},
                               /*activation_only=*/!rule.needs_gradient);
    if (rule.needs_input) {
      group.input_probe =
          ProbeAt({.layer = wanted.layer, .side = Probe::Side::kInput},
                  /*activation_only=*/true);
    }
    return group;
  }

  int ProbeAt(const Probe& probe, bool activation_only) {
    ProbeRequest& request = chunk_.request;
    const auto [found, is_new] =
        probes_.try_emplace(probe, static_cast<int>(request.probes.size()));
    if (is_new) {
      request.probes.push_back(probe);
      request.activation_only.push_back(activation_only);
    } else if (!activation_only) {
      request.activation_only[found->second] = false;
    }
    return found->second;
  }

  absl::Span<const PassItem* const> items_;
  PassChunk chunk_;
  std::vector<at::Tensor> images_;                  // [1,C,H,W] each
  BatchRow last_;                                   // that came before
  SampledImage sampled_;                            // whose sample it was
  std::map<std::string, std::vector<int>> groups_;  // by layer
  std::map<std::string, int> pools_;
  std::map<Probe, int> probes_;
};

// Image by image, of each sample by sample, of each target by target.
void AppendRows(const PassItem& item, const BatchRow& first,
                std::vector<BatchRow>& rows) {
  BatchRow row = first;
  const Variant& variant = item.variants[row.variant];
  const bool sampled = variant.samples != nullptr;
  const int64_t begin = sampled ? variant.first_sample : -1;
  const int64_t end = sampled ? begin + variant.sample_count : 0;
  const auto targets = static_cast<int64_t>(item.targets.size());
  for (row.image = 0; row.image < item.input.size(0); ++row.image) {
    for (row.sample = begin; row.sample < end; ++row.sample) {
      for (row.target = 0; row.target < targets; ++row.target) {
        rows.push_back(row);
      }
    }
  }
}

// What rows that share a pass have in common: whether they take meta steps, and
// the rule.
using RowKind = std::pair<bool, BackwardRule>;
using RowKinds = std::map<RowKind, std::vector<BatchRow>>;

RowKind KindOf(const Variant& variant) {
  return {variant.meta.has_value(), variant.rule};
}

std::vector<std::vector<BatchRow>> Kinds(RowKinds kinds) {
  std::vector<std::vector<BatchRow>> rows;
  for (auto& [kind, of_kind] : kinds) rows.push_back(std::move(of_kind));
  return rows;
}

// Where a row's answer stands among those of its item.
int64_t PlaceOf(const PassItem& item, const BatchRow& row) {
  return row.image * static_cast<int64_t>(item.targets.size()) + row.target;
}

}  // namespace

std::vector<std::vector<BatchRow>> FirstRowsOf(
    absl::Span<const PassItem* const> items) {
  RowKinds kinds;
  for (std::size_t i = 0; i < items.size(); ++i) {
    AppendRows(*items[i], {.item = static_cast<int>(i)},
               kinds[KindOf(items[i]->variants.front())]);
  }
  return Kinds(std::move(kinds));
}

std::vector<std::vector<BatchRow>> OtherRowsOf(
    absl::Span<const PassItem* const> items, const PassAnswers& answers) {
  RowKinds kinds;
  for (std::size_t i = 0; i < items.size(); ++i) {
    for (std::size_t v = 1; v < items[i]->variants.size(); ++v) {
      std::vector<BatchRow>& rows = kinds[KindOf(items[i]->variants[v])];
      const std::size_t first = rows.size();
      AppendRows(*items[i],
                 {.item = static_cast<int>(i), .variant = static_cast<int>(v)},
                 rows);
      for (std::size_t r = first; r < rows.size(); ++r) {
        rows[r].class_index =
            answers.items[i].class_index[PlaceOf(*items[i], rows[r])];
      }
    }
  }
  return Kinds(std::move(kinds));
}

PassChunk MakeChunk(absl::Span<const PassItem* const> items,
                    absl::Span<const BatchRow> rows) {
  ChunkBuilder builder(items);
  for (const BatchRow& row : rows) builder.Add(row);
  return std::move(builder).Build();
}

}  // namespace saliency
