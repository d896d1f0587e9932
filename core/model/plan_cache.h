// What was made lately and may be wanted again: executable graphs, whose number
// must have a bound since callers choose what they are of.
// Internal to the model room.  Thread-compatible.

#ifndef SALIENCY_CORE_MODEL_PLAN_CACHE_H_
#define SALIENCY_CORE_MODEL_PLAN_CACHE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <utility>

namespace saliency {

template <typename Key, typename Plan>
class PlanCache {
 public:
  // REQUIRES: capacity > 0.
  explicit PlanCache(size_t capacity) : capacity_(capacity) {}

  // The plan of `key`, by `make` (returns std::unique_ptr<Plan>) where there is
  // none; that which was longest not asked for makes room.  The plan lives
  // until the next call at least.
  template <typename Make>
  const Plan& Get(const Key& key, const Make& make) {
    auto found = plans_.find(key);
    if (found == plans_.end()) {
      if (plans_.size() >= capacity_) {
        plans_.erase(std::min_element(
            plans_.begin(), plans_.end(), [](const auto& a, const auto& b) {
              return a.second.last_used < b.second.last_used;
            }));
      }
      found = plans_.emplace(key, Cached{make()}).first;
    }
    found->second.last_used = ++uses_;
    return *found->second.plan;
  }

 private:
  struct Cached {
    std::unique_ptr<Plan> plan;
    int64_t last_used = 0;
  };

  const size_t capacity_;
  std::map<Key, Cached> plans_;
  int64_t uses_ = 0;
};

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_PLAN_CACHE_H_
