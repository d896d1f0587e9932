#include "core/engine/work_in_hand.h"

#include <iterator>
#include <utility>

namespace saliency {

WorkInHand::Piece::~Piece() {
  MutexLock lock(&owner_.mu_);
  owner_.entries_.erase(entry_);
}

WorkInHand::Piece WorkInHand::Begin(std::string what, Progress progress) {
  const int64_t seen = progress ? progress() : 0;
  MutexLock lock(&mu_);
  entries_.push_back(
      {std::move(what), std::move(progress), seen, clock_.Now()});
  return {*this, std::prev(entries_.end())};
}

std::optional<IdleWork> WorkInHand::LongestIdle() {
  const absl::Time now = clock_.Now();
  std::optional<IdleWork> longest;
  MutexLock lock(&mu_);
  for (Entry& entry : entries_) {
    const int64_t done = entry.progress ? entry.progress() : entry.seen;
    if (done != entry.seen) {
      entry.seen = done;
      entry.since = now;
    }
    const absl::Duration idle = now - entry.since;
    if (!longest || idle > longest->idle) longest = {entry.what, idle};
  }
  return longest;
}

}  // namespace saliency
