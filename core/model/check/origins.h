// Where the elements of a network's tensors come from: the images of the
// batch that each depends on, and the position of a grid (height x width) that
// each stands for.  Kept beside each tensor's memory, element for element, so
// that views, permutations and writes through them need no rules.
// Internal to the model room.  Thread-compatible.
//
// Legend: S the sizes of the tensor in question.

#ifndef SALIENCY_CORE_MODEL_CHECK_ORIGINS_H_
#define SALIENCY_CORE_MODEL_CHECK_ORIGINS_H_

#include <cstdint>
#include <unordered_map>

#include "ATen/core/Tensor.h"

namespace saliency {

// Of a position.
inline constexpr int kUnknownPosition = 0;
inline constexpr int kNoPosition = -1;         // elements of several positions
inline constexpr int kPositionElsewhere = -2;  // of a crop, or of frequencies
inline constexpr int kFirstPosition = 1;

struct Origins {
  at::Tensor rows;  // [S] int8: a set; bit r is the batch's image r
  // [S] int16: row and column of the grid, from kFirstPosition on.
  at::Tensor y, x;
};

class OriginStore {
 public:
  // Whether anything was ever noted about this memory.  Weights have nothing.
  bool Knows(const at::Tensor& tensor);
  // What is noted: views, to be read or written; made of zeros (no image, no
  // position) for memory that nothing is noted about.  On the tensor's device.
  // REQUIRES: HasMemory(tensor).
  Origins Of(const at::Tensor& tensor);
  // Dense tensors have; sparse and opaque ones do not.
  static bool HasMemory(const at::Tensor& tensor);

 private:
  struct Shadow {
    // Of the memory; keeps its address from being used again.
    c10::weak_intrusive_ptr<c10::StorageImpl> memory;
    int64_t item_size = 0;  // bytes
    Origins all;            // [elements of the memory]
  };
  static void Regroup(Shadow& shadow, int64_t item_size);
  static void Grow(Shadow& shadow, int64_t elements);
  void DropDead();

  std::unordered_map<const c10::StorageImpl*, Shadow> shadows_;
  size_t drop_at_ = 64;
};

// The union of the sets along `dims`, which stay with size 1.
// `rows` [S] int8 of sets of two images.
at::Tensor UnionOver(const at::Tensor& rows, at::IntArrayRef dims);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_CHECK_ORIGINS_H_
