#include "core/engine/run/pass_progress.h"

#include <algorithm>
#include <utility>

namespace saliency {

bool PassProgress::Add(PassAnswer part, const PassItem& item,
                       const RowSlice& slice, const SlicePasses& passes) {
  MutexLock lock(&mu_);
  StoreSlice(std::move(part), item, slice, outcome_.answer);
  SlicePasses& all = outcome_.passes;
  all.requests = std::max(all.requests, passes.requests);
  all.rows += passes.rows;
  all.forward += passes.forward;
  all.backward += passes.backward;
  all.aggregate += passes.aggregate;
  rows_done_ += slice.rows();
  return rows_done_ == item.rows();
}

PassOutcome PassProgress::Take() {
  MutexLock lock(&mu_);
  return std::move(outcome_);
}

}  // namespace saliency
