#include "core/engine/finish/overall_status.h"

#include <algorithm>

namespace saliency {

absl::Status OverallStatus(const Explanation& explanation) {
  const auto& results = explanation.results;
  const auto& combined = explanation.combined;
  const bool any_ok =
      std::any_of(results.begin(), results.end(),
                  [](const MapResult& r) { return r.status.ok(); }) ||
      std::any_of(combined.begin(), combined.end(),
                  [](const CombinedResult& r) { return r.map.status.ok(); });
  if (any_ok || (results.empty() && combined.empty())) return absl::OkStatus();
  return results.empty() ? combined.front().map.status : results.front().status;
}

}  // namespace saliency
