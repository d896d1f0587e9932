// When memory that was freed goes back to the system.  The heap keeps it for
// the next pass (core/base/heap.h), which is quick, and would keep the highest
// peak for ever: what was not needed for a while is given back. The decision is
// a pure function of samples; thread-compatible.

#ifndef SALIENCY_SERVER_TELEMETRY_FREED_MEMORY_H_
#define SALIENCY_SERVER_TELEMETRY_FREED_MEMORY_H_

#include <cstdint>
#include <deque>

#include "absl/time/time.h"
#include "core/base/heap.h"

namespace saliency {

struct FreedMemoryOptions {
  // What was freed and not needed for as long is given back; zero: never.
  absl::Duration after = absl::Seconds(10);
  // But for this much, as long as there is work.
  int64_t keep_bytes = int64_t{512} << 20;
};

class FreedMemory {
 public:
  explicit FreedMemory(const FreedMemoryOptions& options) : options_(options) {}

  // Takes a sample, the later the later; returns whether it is time to give
  // memory back.
  bool Sample(absl::Time now, const HeapUse& use, bool has_work);
  // It was given back, and this is what is left.
  void Returned(const HeapUse& use);

 private:
  struct Seen {
    absl::Time at;
    int64_t free_bytes;
    bool has_work;
  };

  const FreedMemoryOptions options_;
  // Resident memory that is no heap, as far as it is known.
  int64_t beside_heap_ = 0;
  bool is_known_ = false;
  std::deque<Seen> seen_;  // over `after`
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_TELEMETRY_FREED_MEMORY_H_
