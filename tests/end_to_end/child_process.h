// A program that a test or a benchmark runs beside itself: its output is
// collected, its end can be waited for, and it does not outlive this object.
// Thread-safe.

#ifndef SALIENCY_TESTS_END_TO_END_CHILD_PROCESS_H_
#define SALIENCY_TESTS_END_TO_END_CHILD_PROCESS_H_

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/base/mutex.h"

namespace saliency {

// Long enough for a loaded machine and a sanitizer; a test that waits this long
// has failed.
constexpr absl::Duration kPatience = absl::Seconds(120);

class ChildProcess {
 public:
  struct Options {
    std::vector<std::string> command;      // path of the program, arguments
    std::vector<std::string> environment;  // "NAME=value", on top of ours
    std::string folder;                    // to run in; empty: ours
  };

  // The child gets our environment without SALIENCY_ variables, and no input.
  // Errors: INTERNAL the program cannot be started.
  static absl::StatusOr<std::unique_ptr<ChildProcess>> Start(
      const Options& options);
  // Kills it when it still runs.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  // No effect once it has ended: its id is kept until this is destroyed.
  void Signal(int signal) const;

  // The exit code, or 128 + the number of the signal that ended it; nullopt
  // when it still runs after `timeout`.
  std::optional<int> AwaitExit(absl::Duration timeout = kPatience)
      ABSL_LOCKS_EXCLUDED(mu_);
  // Waits until stderr holds `text`; false when it ended without, or when
  // `timeout` is over.
  bool AwaitError(absl::string_view text, absl::Duration timeout = kPatience)
      ABSL_LOCKS_EXCLUDED(mu_);

  // What it has written so far.
  std::string out() const ABSL_LOCKS_EXCLUDED(mu_);
  std::string err() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  ChildProcess(pid_t pid, int out, int err);

  void Collect(int out, int err) ABSL_LOCKS_EXCLUDED(mu_);

  const pid_t pid_;
  mutable Mutex mu_;
  std::string out_ ABSL_GUARDED_BY(mu_);
  std::string err_ ABSL_GUARDED_BY(mu_);
  std::optional<int> exit_code_ ABSL_GUARDED_BY(mu_);
  std::thread collector_;  // last: uses all of the above
};

struct ProgramResult {
  int exit_code = -1;  // -1: could not be started, or did not end in time
  std::string out;
  std::string err;
};

// Runs a program to its end.
ProgramResult RunProgram(const ChildProcess::Options& options,
                         absl::Duration timeout = kPatience);

}  // namespace saliency

#endif  // SALIENCY_TESTS_END_TO_END_CHILD_PROCESS_H_
