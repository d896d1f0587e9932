#include "core/model/check/grid_axes.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace saliency {
namespace {

constexpr int64_t kAbove = 1 << 14;  // no position is as large

// Whether known positions differ along `axis`.
bool VariesAlong(const at::Tensor& positions, int64_t axis) {
  const at::Tensor high = positions.to(at::kLong).amax(axis);
  return high.gt(WithoutUnknown(positions).amin(axis)).any().item<bool>();
}

// [n] along `axis`: what is known at each index, kUnknownPosition for nothing.
at::Tensor PositionByIndex(const at::Tensor& positions, int64_t axis) {
  return positions.movedim(axis, 0).reshape({positions.size(axis), -1}).amax(1);
}

// In cells of as many positions as `axis` has left out: every second one after
// a step of two, or two of them side by side as channels.
at::Tensor InCells(const at::Tensor& positions, int64_t axis) {
  const double highest = positions.max().item<double>();
  const auto step = std::max<int64_t>(
      1, std::lround(highest / static_cast<double>(positions.size(axis))));
  const at::Tensor cells =
      positions.sub(kFirstPosition).div(step, "floor").add(kFirstPosition);
  return at::where(positions.eq(kUnknownPosition), kUnknownPosition,
                   cells.to(at::kLong));
}

// Whether the positions are those of `axis` and no other.
bool BelongTo(const at::Tensor& positions, int64_t axis) {
  if (positions.size(axis) == 1) {
    for (int64_t other = 0; other < positions.dim(); ++other) {
      if (VariesAlong(positions, other)) return false;
    }
    return true;
  }
  const at::Tensor cells = InCells(positions, axis);
  for (int64_t other = 0; other < positions.dim(); ++other) {
    if (VariesAlong(cells, other) != (other == axis)) return false;
  }
  return true;
}

// But for `margin` indices at each end.
bool AreInOrder(const at::Tensor& positions, int64_t axis, int64_t margin = 0) {
  const at::Tensor along = PositionByIndex(positions, axis).cpu().to(at::kLong);
  int64_t last = 0;
  for (int64_t i = margin; i < along.numel() - margin; ++i) {
    const int64_t here = along[i].item<int64_t>();
    if (here == kUnknownPosition) continue;
    if (here < last) return false;
    last = here;
  }
  return true;
}

// 1, 2, 3, ... along `axis`, with the dimensions of `like`.
at::Tensor PositionsAlong(const at::Tensor& like, int axis) {
  std::vector<int64_t> sizes(4, 1);
  sizes[axis] = -1;
  return at::arange(kFirstPosition, kFirstPosition + like.size(axis),
                    like.options())
      .view(sizes);
}

// Every position once, in order: what most tensors are.
bool IsFullGrid(const Origins& origins, const GridAxes& axes) {
  const auto is_along = [](const at::Tensor& positions, int axis) {
    return positions.eq(PositionsAlong(positions, axis)).all().item<bool>();
  };
  return is_along(origins.y, axes.height) && is_along(origins.x, axes.width);
}

// [n] along an axis of a result: the order of the input's positions [m] along
// it, of which each n-th part stands for one of the result's.
at::Tensor CarriedOrder(const at::Tensor& along, int64_t n) {
  const at::Tensor from = at::arange(n, along.options().dtype(at::kLong))
                              .mul(along.size(0))
                              .div(n, "floor");
  const at::Tensor picked = along.index_select(0, from);
  const at::Tensor ranks = std::get<1>(
      at::_unique(picked, /*sorted=*/true, /*return_inverse=*/true));
  return at::where(picked.eq(kUnknownPosition), kUnknownPosition,
                   ranks.add(kFirstPosition))
      .to(at::kShort);
}

}  // namespace

GridAxes ReadGridAxes(const Origins& origins) {
  if (origins.y.numel() == 0) return {};
  for (const GridAxes& usual : {GridAxes{GridKind::kGrid, 1, 2, 3},
                                GridAxes{GridKind::kGrid, 3, 1, 2}}) {
    if (IsFullGrid(origins, usual)) return usual;
  }
  if (LiesElsewhere(origins)) return {.kind = GridKind::kElsewhere};
  const at::Tensor y = origins.y.to(at::kLong);
  const at::Tensor x = origins.x.to(at::kLong);
  if (y.lt(0).any().item<bool>() || x.lt(0).any().item<bool>()) {
    return {.kind = GridKind::kNone};
  }
  if (!HasPositions(origins)) return {};
  std::vector<GridAxes> fits;
  for (int height = 1; height < 4; ++height) {
    if (!BelongTo(y, height)) continue;
    for (int width = 1; width < 4; ++width) {
      if (width == height || !BelongTo(x, width)) continue;
      fits.push_back({.kind = GridKind::kGrid,
                      .channels = 6 - height - width,
                      .height = height,
                      .width = width});
    }
  }
  if (fits.empty()) {
    for (int axis = 1; axis < 4; ++axis) {
      if (BelongTo(y, axis) && BelongTo(x, axis)) {
        return {.kind = GridKind::kTokens};
      }
    }
    return {.kind = GridKind::kNone};
  }
  // Several fit where axes have size 1 and it does not matter which is which:
  // the usual order comes first.
  const auto usual =
      std::find_if(fits.begin(), fits.end(),
                   [](const GridAxes& a) { return a.channels == 1; });
  GridAxes axes = usual != fits.end() ? *usual : fits.front();
  if (!AreInOrder(y, axes.height) || !AreInOrder(x, axes.width)) {
    axes.kind = GridKind::kShuffled;
  }
  return axes;
}

void NoteGrid(const at::Tensor& tensor, const GridAxes& axes,
              OriginStore& origins) {
  const Origins noted = origins.Of(tensor);
  noted.y.copy_(PositionsAlong(noted.y, axes.height));
  noted.x.copy_(PositionsAlong(noted.x, axes.width));
}

bool IsPaddedInCircles(const Origins& origins, const GridAxes& axes) {
  constexpr int64_t kMargin = 4;  // at most a quarter at each end
  const auto is_padded = [](const at::Tensor& positions, int64_t axis) {
    // Rolled positions come once each.
    const int64_t size = positions.size(axis);
    const bool repeats = positions.max().item<int64_t>() < size;
    return AreInOrder(positions, axis, repeats ? size / kMargin : 0);
  };
  return is_padded(origins.y, axes.height) && is_padded(origins.x, axes.width);
}

bool IsCrop(const at::Tensor& tensor, OriginStore& origins) {
  constexpr double kLeastShare = 0.75;
  constexpr double kSlack = 0.5;  // every second of two is no crop
  const bool is_view = OriginStore::HasMemory(tensor) &&
                       tensor.nbytes() < tensor.storage().nbytes();
  if (!is_view) return false;
  const Origins all =
      origins.Of(at::empty({0}, tensor.options()).set_(tensor.storage()));
  const Origins own = origins.Of(tensor);
  const auto is_part = [&](const at::Tensor& part, const at::Tensor& whole) {
    const at::Tensor known = part.masked_select(part.ge(kFirstPosition));
    if (known.numel() == 0) return false;
    const at::Tensor extent = known.max() - known.min() + 1;
    return extent.item<double>() + kSlack <
           kLeastShare * whole.max().item<double>();
  };
  return is_part(own.y, all.y) || is_part(own.x, all.x);
}

bool LiesElsewhere(const Origins& origins) {
  return origins.y.eq(kPositionElsewhere).any().item<bool>();
}

bool HasPositions(const Origins& origins) {
  return origins.y.gt(kUnknownPosition).any().item<bool>();
}

at::Tensor WithoutUnknown(const at::Tensor& positions) {
  return at::where(positions.eq(kUnknownPosition), kAbove,
                   positions.to(at::kLong));
}

void NoteGridInOrder(const at::Tensor& result, const Origins& input,
                     const GridAxes& axes, OriginStore& origins) {
  const auto note = [&](const at::Tensor& positions, int axis,
                        const at::Tensor& noted) {
    std::vector<int64_t> sizes(4, 1);
    sizes[axis] = -1;
    noted.copy_(CarriedOrder(PositionByIndex(positions, axis), noted.size(axis))
                    .view(sizes));
  };
  const Origins noted = origins.Of(result);
  note(input.y, axes.height, noted.y);
  note(input.x, axes.width, noted.x);
}

}  // namespace saliency
