#include "core/model/graph/parameter_views.h"

#include <ATen/ATen.h>
#include <torch/script.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/near_names.h"
#include "core/model/graph/nested_tensors.h"

namespace saliency {
namespace {

const void* StorageOfTensor(const at::Tensor& tensor) {
  return tensor.defined() && tensor.has_storage()
             ? tensor.storage().unsafeGetStorageImpl()
             : nullptr;
}

// The elements [begin, end) of its storage that a tensor lies in.
struct MemoryExtent {
  const void* storage = nullptr;
  int64_t begin = 0, end = 0;
};

MemoryExtent ExtentOf(const at::Tensor& tensor) {
  MemoryExtent extent = {StorageOfTensor(tensor)};
  if (extent.storage == nullptr || tensor.numel() == 0) return {};
  extent.begin = extent.end = tensor.storage_offset();
  for (int64_t axis = 0; axis < tensor.dim(); ++axis) {
    extent.end += (tensor.size(axis) - 1) * tensor.stride(axis);
  }
  ++extent.end;
  return extent;
}

// The pieces, sorted, none touching another.
class Pieces {
 public:
  void Add(const MemoryExtent& extent) {
    if (extent.storage != nullptr) extents_.push_back(extent);
  }

  void Merge() {
    std::sort(extents_.begin(), extents_.end(),
              [](const MemoryExtent& a, const MemoryExtent& b) {
                return std::tie(a.storage, a.begin) <
                       std::tie(b.storage, b.begin);
              });
    std::vector<MemoryExtent> merged;
    for (const MemoryExtent& extent : extents_) {
      const bool overlaps = !merged.empty() &&
                            merged.back().storage == extent.storage &&
                            extent.begin < merged.back().end;
      if (overlaps) {
        merged.back().end = std::max(merged.back().end, extent.end);
      } else {
        merged.push_back(extent);
      }
    }
    extents_ = std::move(merged);
  }

  // The first that `extent` overlaps; -1: none.
  // REQUIRES: merged.
  int Find(const MemoryExtent& extent) const {
    for (size_t i = 0; i < extents_.size(); ++i) {
      const MemoryExtent& piece = extents_[i];
      if (extent.storage == piece.storage && extent.begin < piece.end &&
          piece.begin < extent.end) {
        return static_cast<int>(i);
      }
    }
    return -1;
  }

  int size() const { return static_cast<int>(extents_.size()); }

 private:
  std::vector<MemoryExtent> extents_;
};

// Parameters, and what else lies across them.
Pieces PiecesOf(const torch::jit::Module& module,
                const std::vector<c10::IValue>& attributes) {
  Pieces pieces;
  for (const at::Tensor& parameter : module.parameters()) {
    pieces.Add(ExtentOf(parameter));
  }
  pieces.Merge();
  std::vector<MemoryExtent> across;
  for (const c10::IValue& attribute : attributes) {
    ForEachTensor(attribute, [&](const at::Tensor& tensor) {
      const MemoryExtent extent = ExtentOf(tensor);
      if (pieces.Find(extent) >= 0) across.push_back(extent);
    });
  }
  for (const MemoryExtent& extent : across) pieces.Add(extent);
  pieces.Merge();
  return pieces;
}

bool ReadAlike(const ParameterView& a, const ParameterView& b) {
  return a.offset == b.offset && a.sizes == b.sizes && a.strides == b.strides;
}

// What reads a piece.
struct PieceReading {
  std::vector<std::pair<ParameterView, at::Tensor>> views;

  bool IsOneTensor() const {
    return std::all_of(views.begin(), views.end(), [&](const auto& view) {
      return ReadAlike(view.first, views[0].first);
    });
  }
  int64_t Begin() const {
    int64_t begin = views[0].first.offset;
    for (const auto& view : views) begin = std::min(begin, view.first.offset);
    return begin;
  }
  int64_t End() const {
    int64_t end = 0;
    for (const auto& [view, tensor] : views) {
      int64_t last = view.offset;
      for (size_t axis = 0; axis < view.sizes.size(); ++axis) {
        last += (view.sizes[axis] - 1) * view.strides[axis];
      }
      end = std::max(end, last + 1);
    }
    return end;
  }
};

std::vector<PieceReading> ReadingsOf(
    const ParameterViews& views, const std::vector<c10::IValue>& attributes) {
  std::vector<PieceReading> readings(views.pieces);
  for (size_t i = 0; i < attributes.size(); ++i) {
    auto view = views.of[i].begin();
    ForEachTensor(attributes[i], [&](const at::Tensor& tensor) {
      if (view->piece >= 0)
        readings[view->piece].views.push_back({*view, tensor});
      ++view;
    });
  }
  return readings;
}

bool HasGradients(const PieceReading& reading) {
  return !reading.views.empty() &&
         (reading.views[0].second.is_floating_point() ||
          reading.views[0].second.is_complex());
}

// Its values in a row, as they lie in memory; what no view reads is zero.
at::Tensor CopyOfPiece(const PieceReading& reading) {
  const int64_t begin = reading.Begin();
  at::Tensor flat =
      at::zeros({reading.End() - begin}, reading.views[0].second.options());
  for (const auto& [view, tensor] : reading.views) {
    flat.as_strided(view.sizes, view.strides, view.offset - begin)
        .copy_(tensor.detach());
  }
  return flat;
}

std::string ClassOf(const c10::ivalue::Object& object) {
  const auto name = object.type()->name();
  return name ? Printable(name->name()) : std::string("unknown");
}

bool ObjectHolds(const torch::jit::Module& module,
                 const c10::ivalue::Object& object) {
  return std::any_of(object.slots().begin(), object.slots().end(),
                     [&](const c10::IValue& slot) {
                       const auto inner = ObjectIn(slot);
                       return HoldsParameters(module, slot) ||
                              (inner && ObjectHolds(module, *inner));
                     });
}

}  // namespace

bool HoldsParameters(const torch::jit::Module& module,
                     const c10::IValue& value) {
  std::set<const void*> storages;
  ForEachTensor(value, [&](const at::Tensor& tensor) {
    storages.insert(StorageOfTensor(tensor));
  });
  storages.erase(nullptr);
  if (storages.empty()) return false;  // switches and sizes, by the thousand
  for (const at::Tensor& parameter : module.parameters()) {
    if (storages.count(StorageOfTensor(parameter)) != 0) return true;
  }
  return false;
}

ParameterViews FindParameterViews(const torch::jit::Module& module,
                                  const std::vector<c10::IValue>& attributes) {
  const Pieces pieces = PiecesOf(module, attributes);
  ParameterViews views;
  views.pieces = pieces.size();
  for (const c10::IValue& attribute : attributes) {
    std::vector<ParameterView>& of = views.of.emplace_back();
    ForEachTensor(attribute, [&](const at::Tensor& tensor) {
      ParameterView& view = of.emplace_back();
      view.piece = pieces.Find(ExtentOf(tensor));
      if (view.piece < 0) return;
      view.sizes = tensor.sizes().vec();
      view.strides = tensor.strides().vec();
      view.offset = tensor.storage_offset();
    });
  }
  return views;
}

std::vector<int> FirstInSameMemory(const ParameterViews& views) {
  std::map<int, int> first_of;  // by piece
  std::vector<int> first(views.of.size(), -1);
  for (size_t i = 0; i < views.of.size(); ++i) {
    for (const ParameterView& view : views.of[i]) {
      if (view.piece < 0) continue;
      const int known =
          first_of.emplace(view.piece, static_cast<int>(i)).first->second;
      first[i] = first[i] < 0 ? known : std::min(first[i], known);
    }
  }
  return first;
}

std::string WhyItCannotMove(const torch::jit::Module& module,
                            const c10::IValue& attribute) {
  if (const auto object = ObjectIn(attribute)) {
    if (c10::IValue(object).isCustomClass()) {
      return absl::StrCat("holds weights packed by class ", ClassOf(*object),
                          ", which have no gradient");
    }
    if (ObjectHolds(module, *object)) {
      return absl::StrCat("hands parameters on in an object of class ",
                          ClassOf(*object), ", where a step cannot reach them");
    }
  }
  bool is_dense = true;
  ForEachTensor(attribute, [&](const at::Tensor& tensor) {
    is_dense = is_dense && tensor.has_storage();
  });
  return is_dense ? "" : "is not stored densely";
}

std::vector<at::Tensor> ReadPieces(const ParameterViews& views,
                                   const std::vector<c10::IValue>& attributes) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> pieces;
  for (const PieceReading& reading : ReadingsOf(views, attributes)) {
    at::Tensor& piece = pieces.emplace_back();
    if (!HasGradients(reading)) continue;
    piece = reading.IsOneTensor() ? reading.views[0].second.detach()
                                  : CopyOfPiece(reading);
  }
  return pieces;
}

std::vector<c10::IValue> WithPieces(const ParameterViews& views,
                                    const std::vector<c10::IValue>& attributes,
                                    const std::vector<at::Tensor>& pieces) {
  const std::vector<PieceReading> readings = ReadingsOf(views, attributes);
  std::vector<c10::IValue> all;
  for (size_t i = 0; i < attributes.size(); ++i) {
    auto view = views.of[i].begin();
    all.push_back(MapTensors(attributes[i], [&](const at::Tensor& tensor) {
      const ParameterView& at = *view++;
      if (at.piece < 0 || !pieces[at.piece].defined()) return tensor;
      const PieceReading& reading = readings[at.piece];
      return reading.IsOneTensor()
                 ? pieces[at.piece]
                 : pieces[at.piece].as_strided(at.sizes, at.strides,
                                               at.offset - reading.Begin());
    }));
  }
  return all;
}

}  // namespace saliency
