// Callers that ask again and again, and what they heard.
// Thread-safe.

#ifndef SALIENCY_TESTS_LIFECYCLE_LOAD_H_
#define SALIENCY_TESTS_LIFECYCLE_LOAD_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "core/base/mutex.h"

namespace saliency {

class Load {
 public:
  struct Options {
    int callers = 4;
    // Whether a caller goes home after its first failure.
    bool until_failure = false;
  };
  // One call, on any thread.
  using Call = std::function<absl::Status()>;

  Load(const Options& options, Call call);
  ~Load();

  // Waits until `more` further calls went well; false when all callers have
  // gone home before.
  bool AwaitOk(int64_t more) ABSL_LOCKS_EXCLUDED(mu_);
  // Waits for the calls under way.
  void Stop() ABSL_LOCKS_EXCLUDED(mu_);

  // Calls ended so far, by "OK" or "CODE: message".
  std::map<std::string, int64_t> outcomes() const ABSL_LOCKS_EXCLUDED(mu_);
  int64_t ok() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mu_);
  bool stopping() const ABSL_LOCKS_EXCLUDED(mu_);

  const Options options_;
  const Call call_;
  mutable Mutex mu_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  int working_ ABSL_GUARDED_BY(mu_);
  int64_t ok_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<std::string, int64_t> outcomes_ ABSL_GUARDED_BY(mu_);
  std::vector<std::thread> threads_;  // last: use all of the above
};

}  // namespace saliency

#endif  // SALIENCY_TESTS_LIFECYCLE_LOAD_H_
