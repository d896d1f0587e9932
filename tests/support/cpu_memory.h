// LibTorch's tensors on the CPU, watched: how much they hold and held at most,
// whether what was made at some time has changed since, and an allocator that
// fails on request.
// Thread-safe; Digest wants that no tensor is written meanwhile.

#ifndef SALIENCY_TESTS_SUPPORT_CPU_MEMORY_H_
#define SALIENCY_TESTS_SUPPORT_CPU_MEMORY_H_

#include <cstdint>

namespace saliency {

class CpuMemory {
 public:
  // From the first call on, tensors that are made are counted.
  static CpuMemory& Watch();

  int64_t bytes() const;
  // The most since ResetPeak().
  int64_t peak_bytes() const;
  void ResetPeak();

  // How many tensors' memories have been made so far.
  int64_t made() const;
  // Over the bytes of those that were made as number `first` up to `last`, this
  // one excluded, and still live: what a model holds when they are counted
  // before and after it is loaded.  No cryptographic hash.
  uint64_t Digest(int64_t first, int64_t last) const;

  // After `allocations` more of them the next one fails, once, as a full
  // memory does: with std::bad_alloc.  Negative: none does.
  void FailAfter(int64_t allocations);

 private:
  CpuMemory();
};

}  // namespace saliency

#endif  // SALIENCY_TESTS_SUPPORT_CPU_MEMORY_H_
