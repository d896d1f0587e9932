// Bounds the memory that pieces of work on the CPU pool use while they run: a
// piece that would not fit beside the others waits for them.
// Thread-safe.

#ifndef SALIENCY_CORE_ENGINE_SCRATCH_GATE_H_
#define SALIENCY_CORE_ENGINE_SCRATCH_GATE_H_

#include <cstdint>

#include "core/base/mutex.h"

namespace saliency {

class ScratchGate {
 public:
  explicit ScratchGate(int64_t max_bytes) : max_bytes_(max_bytes) {}

  // Holds `bytes` while it lives; waits for them first.  One alone may have
  // more than there are.
  class Pass {
   public:
    Pass(ScratchGate& gate, int64_t bytes) : gate_(gate), bytes_(bytes) {
      gate_.Enter(bytes_);
    }
    ~Pass() { gate_.Leave(bytes_); }
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;

   private:
    ScratchGate& gate_;
    const int64_t bytes_;
  };

 private:
  struct Wanted {
    const ScratchGate* gate;
    int64_t bytes;
    bool Fits() const ABSL_NO_THREAD_SAFETY_ANALYSIS {
      return gate->used_ == 0 || bytes <= gate->max_bytes_ - gate->used_;
    }
  };

  void Enter(int64_t bytes) ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    const Wanted wanted = {.gate = this, .bytes = bytes};
    mu_.Await(absl::Condition(&wanted, &Wanted::Fits));
    used_ += bytes;
  }
  void Leave(int64_t bytes) ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    used_ -= bytes;
  }

  const int64_t max_bytes_;

  Mutex mu_;
  int64_t used_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_SCRATCH_GATE_H_
