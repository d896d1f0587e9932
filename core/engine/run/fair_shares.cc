#include "core/engine/run/fair_shares.h"

#include <algorithm>

namespace saliency {

double FairShares::Turn(const std::string& caller) const {
  const auto found = ends_.find(caller);
  return found == ends_.end() ? now_ : std::max(now_, found->second);
}

void FairShares::Charge(const std::string& caller, double cost) {
  now_ = Turn(caller);
  ends_[caller] = now_ + cost;
  // Whoever's has ended by now is as one who was not there.
  std::erase_if(ends_, [this](const auto& end) { return end.second <= now_; });
}

}  // namespace saliency
