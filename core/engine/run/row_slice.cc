#include "core/engine/run/row_slice.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "core/engine/run/sample_sums.h"

namespace saliency {
namespace {

// `per_row` values for each row of the slice, into those of all `rows`.
template <typename T>
void StoreRows(std::vector<T>&& from, int64_t first, int64_t all, T missing,
               std::vector<T>& to) {
  if (from.empty()) return;
  to.resize(all, missing);
  std::move(from.begin(), from.end(), to.begin() + first);
}

// Rows of a [n,C] tensor into one of `all` rows.
void StoreRowsOfLogits(const at::Tensor& from, int64_t first, int64_t all,
                       at::Tensor& to) {
  if (!from.defined()) return;
  if (!to.defined()) to = at::empty({all, from.size(1)}, from.options());
  to.narrow(0, first, from.size(0)).copy_(from);
}

struct RowPlace {
  int64_t first = 0;
  int64_t all = 0;  // rows of the whole answer
};

// `maps` of each row.
void StoreVariant(VariantAnswer&& part, const RowPlace& place, int64_t maps,
                  VariantAnswer& whole) {
  const absl::StatusOr<at::Tensor> missing =
      absl::InternalError("no map was made");
  StoreRowsOfLogits(part.stepped_logits, place.first, place.all,
                    whole.stepped_logits);
  StoreRows(std::move(part.score), place.first, place.all, 0.0F, whole.score);
  StoreRows(std::move(part.maps), place.first * maps, place.all * maps, missing,
            whole.maps);
  StoreRows(std::move(part.warnings), place.first * maps, place.all * maps,
            std::string(), whole.warnings);
}

// `part` has the image of the slice.
PassItem SampledPart(PassItem part, const RowSlice& slice,
                     absl::Span<const int64_t> classes,
                     const at::Tensor& mask_activation) {
  Variant variant = part.variants[slice.variant];
  variant.first_sample = slice.first_sample;
  variant.sample_count = slice.samples;
  variant.first_image = slice.first_image;
  variant.mask_activation = mask_activation;
  part.variants = {std::move(variant)};
  part.pooled_layers.clear();
  for (std::size_t t = 0; t < part.targets.size(); ++t) {
    static_cast<ClassTarget&>(part.targets[t]) =
        ClassIndex{classes[slice.first_image * part.targets.size() + t]};
  }
  return part;
}

}  // namespace

RowSlice SliceAt(int64_t done, int64_t images, int64_t targets,
                 int64_t max_rows) {
  const int64_t image = done / targets;
  if (targets <= max_rows) {
    return {.first_image = image,
            .images = std::min(images - image, max_rows / targets),
            .targets = targets};
  }
  const int64_t target = done % targets;
  return {.first_image = image,
          .images = 1,
          .first_target = target,
          .targets = std::min(targets - target, max_rows)};
}

RowSlice SampleSliceAt(int64_t done, int64_t images, int64_t targets,
                       absl::Span<const int64_t> samples, int64_t max_rows) {
  int variant = 0;
  while (done >= images * targets * samples[variant]) {
    done -= images * targets * samples[variant];
    ++variant;
  }
  const int64_t of_image = targets * samples[variant];
  const int64_t first = done % of_image / targets;
  return {.first_image = done / of_image,
          .images = 1,
          .targets = targets,
          .variant = variant,
          .first_sample = first,
          .samples = std::min(samples[variant] - first,
                              std::max<int64_t>(max_rows / targets, 1))};
}

std::vector<int64_t> SampleCounts(const PassItem& item) {
  std::vector<int64_t> counts;
  for (const Variant& variant : item.variants) {
    counts.push_back(variant.samples == nullptr ? 0 : variant.sample_count);
  }
  return counts;
}

PassItem ItemOf(const PassItem& item, const RowSlice& slice,
                absl::Span<const int64_t> classes,
                const at::Tensor& mask_activation) {
  PassItem part = item;
  part.input = item.input.narrow(0, slice.first_image, slice.images);
  if (slice.samples > 0) {
    return SampledPart(std::move(part), slice, classes, mask_activation);
  }
  std::erase_if(part.variants, [](const Variant& variant) {
    return variant.samples != nullptr;
  });
  const auto first = item.targets.begin() + slice.first_target;
  part.targets.assign(first, first + slice.targets);
  // Of an image the first targets' slice brings them.
  if (slice.first_target > 0) part.pooled_layers.clear();
  return part;
}

void StoreSlice(PassAnswer part, const PassItem& item, const RowSlice& slice,
                PassAnswer& whole) {
  const auto targets = static_cast<int64_t>(item.targets.size());
  const int64_t rows = item.rows();
  const int64_t first = slice.first_image * targets + slice.first_target;
  whole.variants.resize(item.variants.size());
  if (slice.samples > 0) {
    VariantAnswer& sums = whole.variants[slice.variant];
    if (sums.score.empty()) {
      sums = EmptySums(item.variants[slice.variant], rows);
    }
    return AddSums(std::move(part.variants.front()), first, sums);
  }
  StoreRowsOfLogits(part.logits, slice.first_image, item.input.size(0),
                    whole.logits);
  StoreRows(std::move(part.class_index), first, rows, int64_t{0},
            whole.class_index);
  for (std::size_t v = 0; v < part.variants.size(); ++v) {
    const auto maps =
        static_cast<int64_t>(item.variants[v].attributions.size());
    StoreVariant(std::move(part.variants[v]), {.first = first, .all = rows},
                 maps, whole.variants[v]);
  }
  const auto pooled = static_cast<int64_t>(item.pooled_layers.size());
  StoreRows(std::move(part.pooled), slice.first_image * pooled,
            item.input.size(0) * pooled, at::Tensor(), whole.pooled);
}

}  // namespace saliency
