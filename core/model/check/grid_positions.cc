#include "core/model/check/grid_positions.h"

#include <ATen/ATen.h>

#include <array>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "core/model/check/grid_axes.h"
#include "core/model/check/moved_elements.h"

namespace saliency {
namespace {

bool DefinesGrid(const std::string& name) {
  static const auto* const names =
      new std::set<std::string>{"batch_norm",
                                "native_batch_norm",
                                "cudnn_batch_norm",
                                "instance_norm",
                                "group_norm",
                                "native_group_norm",
                                "pixel_shuffle",
                                "pixel_unshuffle",
                                "reflection_pad2d",
                                "replication_pad2d",
                                "grid_sampler",
                                "grid_sampler_2d",
                                "col2im"};
  return names->count(name) != 0 || absl::StrContains(name, "conv2d") ||
         absl::StrContains(name, "convolution") ||
         absl::StrContains(name, "conv_transpose2d") ||
         absl::StrContains(name, "pool2d") ||
         absl::StrContains(name, "upsample_");
}

// What works neither on each element nor along one axis.
bool Scrambles(const std::string& name) {
  static const auto* const names =
      new std::set<std::string>{"einsum",
                                "tensordot",
                                "inverse",
                                "matrix_exp",
                                "cdist",
                                "im2col",
                                "scaled_dot_product_attention"};
  return names->count(name) != 0;
}

void Fill(const Origins& origins, int position) {
  origins.y.fill_(position);
  origins.x.fill_(position);
}

// What an operator of class DefinesGrid does.
void NoteDefinedGrid(const OperatorCall& call, OriginStore& origins) {
  GridAxes axes = {.kind = GridKind::kGrid};
  Origins input_origins;
  const std::vector<at::Tensor> inputs = call.handles.empty()
                                             ? std::vector<at::Tensor>()
                                             : TensorsIn(call.handles.front());
  if (!inputs.empty() && inputs.front().dim() == 4 &&
      OriginStore::HasMemory(inputs.front())) {
    const at::Tensor& input = inputs.front();
    input_origins = origins.Of(input);
    const GridAxes known = ReadGridAxes(input_origins);
    const bool is_grid =
        known.kind == GridKind::kGrid || known.kind == GridKind::kShuffled;
    if (known.kind == GridKind::kUnknown) {
      NoteGrid(input, axes, origins);
    } else if (is_grid && known.channels == 1) {
      axes = known;
      if (IsPaddedInCircles(input_origins, axes)) axes.kind = GridKind::kGrid;
    } else if (is_grid || known.kind == GridKind::kTokens ||
               input_origins.y.lt(0).any().item<bool>()) {
      // It works along rows or on an attention matrix, whatever it is called.
      axes.kind = GridKind::kNone;
    }
  }
  const bool is_elsewhere =
      input_origins.y.defined() &&
      (LiesElsewhere(input_origins) || IsCrop(inputs.front(), origins));
  for (const at::Tensor& result : call.results) {
    if (!OriginStore::HasMemory(result)) continue;
    if (is_elsewhere) {
      Fill(origins.Of(result), kPositionElsewhere);
    } else if (result.dim() == 4 && axes.kind == GridKind::kGrid) {
      NoteGrid(result, axes, origins);
    } else if (result.dim() == 4 && axes.kind == GridKind::kShuffled) {
      NoteGridInOrder(result, input_origins, axes, origins);
    } else if (result.dim() == 4) {
      Fill(origins.Of(result), kNoPosition);
    }
  }
}

// The operator itself, on positions in place of values.
void NoteMoved(const OperatorCall& call, OriginStore& origins) {
  if (!OriginStore::HasMemory(call.results[0])) return;
  std::array<at::Tensor, 2> moved;
  for (size_t i = 0; i < 2; ++i) {
    moved[i] = MoveLabels(call, [&](const at::Tensor& tensor) {
      if (!origins.Knows(tensor)) {
        return at::zeros(tensor.sizes(), tensor.options().dtype(at::kFloat));
      }
      const Origins known = origins.Of(tensor);
      return (i == 0 ? known.y : known.x).to(at::kFloat);
    });
    if (moved[i].sizes() != call.results[0].sizes()) return;
  }
  const Origins noted = origins.Of(call.results[0]);
  noted.y.copy_(moved[0]);
  noted.x.copy_(moved[1]);
}

// What is known of all elements along `axis`, which stays with size 1.  Where
// they differ and always in the same way (neighbours side by side as channels)
// it is the first of them, else kNoPosition.
at::Tensor SharedAlong(const at::Tensor& positions, int64_t axis) {
  if (positions.numel() == 0) return positions;
  const at::Tensor high = positions.to(at::kLong).amax(axis, true);
  const at::Tensor low = WithoutUnknown(positions).amin(axis, true);
  const at::Tensor known = high.ne(kUnknownPosition);
  const at::Tensor spread = at::where(known, high - low, 0);
  const at::Tensor first = at::where(known, low, high);
  const bool is_even =
      spread.masked_select(known).numel() > 0 &&
      spread.masked_select(known).eq(spread.max()).all().item<bool>();
  const bool tells = first.min().item<int64_t>() < first.max().item<int64_t>();
  if (is_even && tells) return first.to(at::kShort);
  return at::where(spread.gt(0), kNoPosition, first).to(at::kShort);
}

// result[..., i, j] of a[..., i, :] and b[..., :, j]: by rows of `a` where
// something is known of them, else by columns of `b`.
void NoteProduct(const at::Tensor& a, const at::Tensor& b,
                 const at::Tensor& result, OriginStore& origins) {
  if (!OriginStore::HasMemory(result) || result.dim() < 1) return;
  const Origins noted = origins.Of(result);
  for (const auto& [factor, axis] : {std::pair(a, -1), std::pair(b, -2)}) {
    if (!origins.Knows(factor) || factor.dim() < 2) continue;
    const Origins known = origins.Of(factor);
    if (!HasPositions(known)) continue;
    at::Tensor y = SharedAlong(known.y, axis);
    at::Tensor x = SharedAlong(known.x, axis);
    if (result.dim() < y.dim() && y.size(0) == 1) {
      y = y.squeeze(0);
      x = x.squeeze(0);
    }
    if (!at::is_expandable_to(y.sizes(), result.sizes())) continue;
    noted.y.copy_(y.expand(result.sizes()));
    noted.x.copy_(x.expand(result.sizes()));
    return;
  }
}

// Along the last axis, where channels are.
void NoteLinear(const OperatorCall& call, OriginStore& origins) {
  const at::Tensor input = call.handles[0].toTensor();
  const at::Tensor& result = call.results[0];
  if (!origins.Knows(input) || !OriginStore::HasMemory(result)) return;
  const Origins known = origins.Of(input);
  if (input.dim() == 4) {
    const GridAxes axes = ReadGridAxes(known);
    if (axes.kind == GridKind::kGrid && axes.channels == 3) {
      NoteGrid(result, axes, origins);
      return;
    }
  }
  const Origins noted = origins.Of(result);
  if (result.dim() != input.dim()) return;
  noted.y.copy_(SharedAlong(known.y, -1).expand(result.sizes()));
  noted.x.copy_(SharedAlong(known.x, -1).expand(result.sizes()));
}

// Element by element: of an argument that has the result's sizes.  What was
// there before a write stays.
void NoteElementwise(const OperatorCall& call, OriginStore& origins) {
  for (const at::Tensor& result : call.results) {
    if (!OriginStore::HasMemory(result)) continue;
    for (const c10::IValue& handle : call.handles) {
      bool found = false;
      for (const at::Tensor& tensor : TensorsIn(handle)) {
        if (!origins.Knows(tensor) || tensor.sizes() != result.sizes()) {
          continue;
        }
        const bool is_crop =
            !tensor.is_alias_of(result) && IsCrop(tensor, origins);
        const Origins known = origins.Of(tensor);
        const Origins noted = origins.Of(result);
        if (is_crop || LiesElsewhere(known)) {
          Fill(noted, kPositionElsewhere);
        } else if (HasPositions(known)) {
          noted.y.copy_(known.y);
          noted.x.copy_(known.x);
        } else {
          continue;
        }
        found = true;
        break;
      }
      if (found) break;
    }
  }
}

// Frequencies; what is made of them again lies where nobody knows.
void NoteTransform(const OperatorCall& call, OriginStore& origins) {
  const bool is_inverse = absl::StrContains(call.name(), "fft_i");
  for (const at::Tensor& result : call.results) {
    if (!is_inverse && OriginStore::HasMemory(result)) {
      Fill(origins.Of(result), kPositionElsewhere);
    }
  }
}

void NoteCopy(const OperatorCall& call, OriginStore& origins) {
  const at::Tensor source = call.handles[1].toTensor();
  const at::Tensor target = call.handles[0].toTensor();
  if (!origins.Knows(source) || !OriginStore::HasMemory(target)) return;
  const Origins known = origins.Of(source);
  const Origins noted = origins.Of(target);
  noted.y.copy_(known.y.expand(target.sizes()));
  noted.x.copy_(known.x.expand(target.sizes()));
}

}  // namespace

void NotePositions(const OperatorCall& call, OriginStore& origins) {
  if (call.results.empty() || call.handles.empty()) return;
  const std::string name = call.plain_name();
  if (DefinesGrid(name)) return NoteDefinedGrid(call, origins);
  if (name == "copy") return NoteCopy(call, origins);
  if (absl::StartsWith(name, "fft_")) return NoteTransform(call, origins);
  if (MovesElements(call)) return NoteMoved(call, origins);
  if (name == "linear") return NoteLinear(call, origins);
  if (name == "matmul" || name == "bmm" || name == "mm") {
    return NoteProduct(call.handles[0].toTensor(), call.handles[1].toTensor(),
                       call.results[0], origins);
  }
  if (name == "addmm" || name == "baddbmm" || name == "addbmm") {
    return NoteProduct(call.handles[1].toTensor(), call.handles[2].toTensor(),
                       call.results[0], origins);
  }
  if (!Scrambles(name)) NoteElementwise(call, origins);
}

}  // namespace saliency
