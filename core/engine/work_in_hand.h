// What the engine's threads are working on and how long each has been without
// progress: a model that loops, or a library that hangs, shows here.
// Thread-safe.

#ifndef SALIENCY_CORE_ENGINE_WORK_IN_HAND_H_
#define SALIENCY_CORE_ENGINE_WORK_IN_HAND_H_

#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"

namespace saliency {

struct IdleWork {
  std::string what;     // "a pass of model \"net\" version 1"
  absl::Duration idle;  // since it was last seen to make progress
};

class WorkInHand {
 private:
  struct Entry;

 public:
  // Counts what a piece of work has done so far; any thread may call it.
  using Progress = std::function<int64_t()>;

  // In hand as long as it lives.
  class Piece {
   public:
    ~Piece();
    Piece(const Piece&) = delete;
    Piece& operator=(const Piece&) = delete;

   private:
    friend class WorkInHand;
    Piece(WorkInHand& owner, std::list<Entry>::iterator entry)
        : owner_(owner), entry_(entry) {}
    WorkInHand& owner_;
    const std::list<Entry>::iterator entry_;
  };

  // `clock` outlives this, and this its pieces.
  explicit WorkInHand(Clock& clock) : clock_(clock) {}

  // Without `progress` the piece makes none until it ends.
  Piece Begin(std::string what, Progress progress = nullptr)
      ABSL_LOCKS_EXCLUDED(mu_);

  // The piece that has been without progress for the longest, as far as earlier
  // calls have seen; none when nothing is in hand.
  std::optional<IdleWork> LongestIdle() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Entry {
    std::string what;
    Progress progress;
    int64_t seen = 0;
    absl::Time since;
  };

  Clock& clock_;
  Mutex mu_;
  std::list<Entry> entries_ ABSL_GUARDED_BY(mu_);
};

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_WORK_IN_HAND_H_
