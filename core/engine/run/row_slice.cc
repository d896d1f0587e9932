#include "core/engine/run/row_slice.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace saliency {
namespace {

bool IsWhole(const PassItem& item, const RowSlice& slice) {
  return slice.rows() == item.rows();
}

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

PassItem ItemOf(const PassItem& item, const RowSlice& slice) {
  PassItem part = item;
  if (IsWhole(item, slice)) return part;
  part.input = item.input.narrow(0, slice.first_image, slice.images);
  const auto first = item.targets.begin() + slice.first_target;
  part.targets.assign(first, first + slice.targets);
  // Of an image the first targets' slice brings them.
  if (slice.first_target > 0) part.pooled_layers.clear();
  return part;
}

void StoreSlice(PassAnswer part, const PassItem& item, const RowSlice& slice,
                PassAnswer& whole) {
  if (IsWhole(item, slice)) {
    whole = std::move(part);
    return;
  }
  const auto targets = static_cast<int64_t>(item.targets.size());
  const auto pooled = static_cast<int64_t>(item.pooled_layers.size());
  const int64_t rows = item.rows();
  const int64_t first = slice.first_image * targets + slice.first_target;
  StoreRowsOfLogits(part.logits, slice.first_image, item.input.size(0),
                    whole.logits);
  StoreRows(std::move(part.class_index), first, rows, int64_t{0},
            whole.class_index);
  whole.variants.resize(item.variants.size());
  for (std::size_t v = 0; v < item.variants.size(); ++v) {
    const auto maps =
        static_cast<int64_t>(item.variants[v].attributions.size());
    StoreVariant(std::move(part.variants[v]), {.first = first, .all = rows},
                 maps, whole.variants[v]);
  }
  StoreRows(std::move(part.pooled), slice.first_image * pooled,
            item.input.size(0) * pooled, at::Tensor(), whole.pooled);
}

}  // namespace saliency
