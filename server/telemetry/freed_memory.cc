#include "server/telemetry/freed_memory.h"

#include <algorithm>

namespace saliency {
namespace {

// Not worth the while.
constexpr int64_t kCrumbs = int64_t{32} << 20;

}  // namespace

bool FreedMemory::Sample(absl::Time now, const HeapUse& use, bool has_work) {
  if (options_.after == absl::ZeroDuration()) return false;
  // How much is no heap shows when nothing is free, which is the first thing to
  // bring about.
  if (!is_known_) return !has_work;
  seen_.push_back(
      {.at = now,
       .free_bytes = use.resident_bytes - use.in_use_bytes - beside_heap_,
       .has_work = has_work});
  if (now - seen_.front().at < options_.after) return false;
  while (now - seen_[1].at >= options_.after) seen_.pop_front();
  int64_t unneeded = seen_.front().free_bytes;
  bool had_work = false;
  for (const Seen& sample : seen_) {
    unneeded = std::min(unneeded, sample.free_bytes);
    had_work = had_work || sample.has_work;
  }
  return unneeded > (had_work ? options_.keep_bytes : kCrumbs);
}

void FreedMemory::Returned(const HeapUse& use) {
  beside_heap_ = std::max<int64_t>(use.resident_bytes - use.in_use_bytes, 0);
  is_known_ = true;
  seen_.clear();
}

}  // namespace saliency
