// Runs tasks side by side, each on a thread of its own and for a limited time.
//
// A thread cannot be ended from outside.  One whose time is up is given up: its
// place goes to the next task, and what it brings in the end is dropped.
// Thread-safe.

#ifndef SALIENCY_SERVER_LOADING_TIMED_TASKS_H_
#define SALIENCY_SERVER_LOADING_TIMED_TASKS_H_

#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"

namespace saliency {

struct TimedTask {
  // Runs on a thread of its own and returns what is to be done with its result.
  // It may outlive all that its starter has: it touches what it owns alone.
  std::function<std::function<void()>()> work;
  // Its time is up.
  std::function<void()> give_up;
  // It was given up and has ended after all.
  std::function<void(absl::Duration took)> ended_late;
};

class TimedTasks {
 public:
  struct Options {
    int at_once = 1;       // >= 1; those given up do not count
    absl::Duration limit;  // of each task; zero: none
  };

  // `clock` outlives this.
  TimedTasks(const Options& options, Clock& clock);

  // Starts the tasks in order and runs, on this thread and under no lock, what
  // they return and the callbacks above.  Returns when all have ended or, after
  // Stop, when those in their time have; whether no thread is left behind.
  bool Run(std::vector<TimedTask> tasks);

  // Starts no further task.
  void Stop() ABSL_LOCKS_EXCLUDED(registry_->mu);

 private:
  // What the threads and Run share; outlives a thread that is left behind.
  struct Board {
    Mutex mu;
    bool stopping ABSL_GUARDED_BY(mu) = false;
    struct Ended {
      std::size_t task = 0;
      std::function<void()> use_result;
    };
    std::list<Ended> ended ABSL_GUARDED_BY(mu);
    bool stop_seen ABSL_GUARDED_BY(mu) = false;

    bool HasNews() const ABSL_NO_THREAD_SAFETY_ANALYSIS {
      return !ended.empty() || stopping != stop_seen;
    }
  };
  struct Running {
    std::size_t task = 0;
    absl::Time since;
    bool given_up = false;
  };
  struct News {
    std::list<Board::Ended> ended;
    bool stopping = false;
  };

  void Start(std::size_t task, const TimedTask& what);
  News Await(absl::Time deadline) ABSL_LOCKS_EXCLUDED(registry_->mu);
  absl::Time NextOverrun() const;
  void TakeEnded(std::list<Board::Ended> ended,
                 const std::vector<TimedTask>& tasks);
  void GiveUpOverdue(const std::vector<TimedTask>& tasks);
  int InTime() const;

  const Options options_;
  Clock& clock_;
  const std::shared_ptr<Board> registry_;
  std::list<Running> running_;  // Run's alone
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_LOADING_TIMED_TASKS_H_
