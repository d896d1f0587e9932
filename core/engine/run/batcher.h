// The queue in front of one model version, emptied by its workers: an idle
// worker pulls the next batch; there is no timer thread.
//
// Callers take turns (fair_shares.h), and so do the jobs of one caller.  A job
// with more rows than a batch goes slice by slice, and to the end of its
// caller's jobs after each: however much one asks for, others wait for a batch
// and not for a job.
//
// Expired and cancelled jobs are answered when a batch is formed and run no
// further.  Every job has a place reserved before it is decoded, so that a
// batcher which is closed knows when nothing more will come. Thread-safe.

#ifndef SALIENCY_CORE_ENGINE_RUN_BATCHER_H_
#define SALIENCY_CORE_ENGINE_RUN_BATCHER_H_

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "core/engine/active_job.h"
#include "core/engine/run/batch_policy.h"
#include "core/engine/run/fair_shares.h"
#include "core/engine/run/row_slice.h"

namespace saliency {

// Rows of one job in a batch.
struct BatchSlice {
  std::shared_ptr<ActiveJob> job;
  RowSlice slice;
};

class Batcher {
 public:
  using Batch = std::vector<BatchSlice>;  // each job once
  using Jobs = std::vector<std::shared_ptr<ActiveJob>>;

  // `clock` outlives the batcher.
  Batcher(const BatchLimits& limits, Clock& clock)
      : limits_(limits), clock_(clock) {}

  // A job is on its way: Push or Release follows.
  // Errors: UNAVAILABLE after Close or Fail.
  absl::Status Reserve() ABSL_LOCKS_EXCLUDED(mu_);
  void Release() ABSL_LOCKS_EXCLUDED(mu_);
  // REQUIRES: the job has a place reserved and is prepared.
  // Errors: that of Fail; the job is not taken.
  absl::Status Push(const std::shared_ptr<ActiveJob>& job)
      ABSL_LOCKS_EXCLUDED(mu_);

  // Takes the job's rows of samples, which wait until the classes that they
  // explain are known.  Called by a worker that will pull again.
  // Errors: that of Fail; the job is not taken.
  absl::Status PushSamples(const std::shared_ptr<ActiveJob>& job)
      ABSL_LOCKS_EXCLUDED(mu_);

  // Takes a job, or what is left of it, out of the queue if it is there.
  // Answers nothing.
  void Remove(const ActiveJob* job) ABSL_LOCKS_EXCLUDED(mu_);

  // Waits for the next batch: the job whose turn it is and those compatible
  // with it. Empty: closed and nothing more will come, or failed.
  Batch Pull() ABSL_LOCKS_EXCLUDED(mu_);

  // Reserves nothing more; what was reserved still runs, without delay.
  void Close() ABSL_LOCKS_EXCLUDED(mu_);
  // Takes nothing more and hands out what waits, for the caller to answer.
  // REQUIRES: `why` is not OK.
  Jobs Fail(const absl::Status& why) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Waiting {
    std::shared_ptr<ActiveJob> job;
    BatchKey key;
    std::string caller;
    int64_t images = 1;
    int64_t targets = 1;
    std::vector<int64_t> samples;  // of each variant; empty: the images' rows
    int64_t done = 0;              // rows that were handed out
    absl::Time arrival;

    int64_t rows() const;
  };
  using Queue = std::list<Waiting>;
  // The queue in turn.
  using Turns = std::vector<Queue::iterator>;
  struct Formed {
    Batch batch;
    Jobs dead;  // expired or answered already
  };
  // What a sleeping worker waits for.
  struct Change {
    const Batcher* batcher;
    int64_t seen;
    bool Happened() const ABSL_NO_THREAD_SAFETY_ANALYSIS {
      return batcher->changes_ != seen;
    }
  };

  Waiting WaitingOf(const std::shared_ptr<ActiveJob>& job) const;
  // Waits until there is a batch, somebody dead, or the end.
  Formed Form() ABSL_LOCKS_EXCLUDED(mu_);
  Jobs TakeDead(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  RowSlice NextSlice(const Waiting& waiting) const;
  // Those that may share the passes of the first, as they come to their turn.
  Turns Compatible() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  BatchDecision Decide(const Turns& turns, absl::Time now) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Hands out the next slice of the first `count`.
  Batch Take(const Turns& turns, int count) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Time EarliestDeadline() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool Ended() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return !failure_.ok() || (closed_ && reserved_ == 0 && queue_.empty());
  }

  const BatchLimits limits_;
  Clock& clock_;

  Mutex mu_;
  // Oldest first, but for jobs that had a slice since.
  Queue queue_ ABSL_GUARDED_BY(mu_);
  FairShares shares_ ABSL_GUARDED_BY(mu_);
  int64_t reserved_ ABSL_GUARDED_BY(mu_) = 0;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status failure_ ABSL_GUARDED_BY(mu_);
  int64_t changes_ ABSL_GUARDED_BY(mu_) = 0;  // wakes sleeping workers
};

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_RUN_BATCHER_H_
