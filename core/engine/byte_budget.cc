#include "core/engine/byte_budget.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/engine/refusal.h"

namespace saliency {

absl::Status ByteBudget::Take(const std::string& caller, int64_t bytes) {
  if (bytes > limits_.total) {
    return TooLargeError(absl::StrCat("the request needs ", bytes,
                                      " bytes for its input and answer (limit ",
                                      limits_.total, ")"));
  }
  MutexLock lock(&mu_);
  if (bytes > limits_.total - held_) {
    return absl::ResourceExhaustedError(
        absl::StrCat("queue full: ", bytes, " bytes on top of ", held_,
                     " held (limit ", limits_.total, ")"));
  }
  if (!caller.empty()) {
    const auto found = by_caller_.find(caller);
    const int64_t own = found == by_caller_.end() ? 0 : found->second;
    if (own > 0 && bytes > limits_.per_caller - own) {
      return absl::ResourceExhaustedError(absl::StrCat(
          "queue full: ", bytes, " bytes on top of ", own,
          " held for this caller (limit ", limits_.per_caller, ")"));
    }
    if (bytes > 0) by_caller_[caller] += bytes;
  }
  held_ += bytes;
  return absl::OkStatus();
}

void ByteBudget::Return(const std::string& caller, int64_t bytes) {
  MutexLock lock(&mu_);
  held_ -= bytes;
  const auto found = by_caller_.find(caller);
  if (found == by_caller_.end()) return;
  found->second -= bytes;
  if (found->second == 0) by_caller_.erase(found);
}

int64_t ByteBudget::held() const {
  MutexLock lock(&mu_);
  return held_;
}

void ByteHold::ShrinkTo(int64_t bytes) {
  if (bytes >= bytes_) return;
  budget_->Return(caller_, std::exchange(bytes_, bytes) - bytes);
}

}  // namespace saliency
