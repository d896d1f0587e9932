// Who holds how much memory: inputs, decoded images and answers, from the
// moment a job is let in until its answer has left, in total and by caller.
// Thread-safe.

#ifndef SALIENCY_CORE_ENGINE_BYTE_BUDGET_H_
#define SALIENCY_CORE_ENGINE_BYTE_BUDGET_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "core/base/mutex.h"

namespace saliency {

struct ByteLimits {
  int64_t total = 0;
  // Of one caller, who may go beyond it with nothing else held.
  int64_t per_caller = 0;
};

class ByteBudget {
 public:
  explicit ByteBudget(const ByteLimits& limits) : limits_(limits) {}

  // An empty caller is nobody in particular, whom only the total bounds.
  // Errors: RESOURCE_EXHAUSTED naming value and limit (TooLargeError when no
  //   wait would help).
  absl::Status Take(const std::string& caller, int64_t bytes)
      ABSL_LOCKS_EXCLUDED(mu_);
  // REQUIRES: the caller has taken as much.
  void Return(const std::string& caller, int64_t bytes)
      ABSL_LOCKS_EXCLUDED(mu_);

  int64_t held() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  const ByteLimits limits_;

  mutable Mutex mu_;
  int64_t held_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<std::string, int64_t> by_caller_ ABSL_GUARDED_BY(mu_);  // none is 0
};

// Bytes that were taken, returned when this goes.
// Thread-compatible.
class ByteHold {
 public:
  // REQUIRES: they were taken.
  ByteHold(std::shared_ptr<ByteBudget> budget, std::string caller,
           int64_t bytes)
      : budget_(std::move(budget)), caller_(std::move(caller)), bytes_(bytes) {}
  ~ByteHold() { budget_->Return(caller_, bytes_); }
  ByteHold(const ByteHold&) = delete;
  ByteHold& operator=(const ByteHold&) = delete;

  // Returns what is held beyond `bytes`.
  void ShrinkTo(int64_t bytes);

 private:
  const std::shared_ptr<ByteBudget> budget_;
  const std::string caller_;
  int64_t bytes_;
};

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_BYTE_BUDGET_H_
