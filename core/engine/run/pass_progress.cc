#include "core/engine/run/pass_progress.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <utility>

#include "core/engine/run/sample_sums.h"

namespace saliency {

PassProgress::Next PassProgress::Add(PassAnswer part, const PassItem& item,
                                     const RowSlice& slice,
                                     const SlicePasses& passes) {
  const std::vector<int64_t> samples = SampleCounts(item);
  const int64_t all_samples =
      std::accumulate(samples.begin(), samples.end(), int64_t{0});
  const int64_t all_rows = item.rows() * (1 + all_samples);
  MutexLock lock(&mu_);
  StoreSlice(std::move(part), item, slice, outcome_.answer);
  SlicePasses& all = outcome_.passes;
  all.requests = std::max(all.requests, passes.requests);
  all.rows += passes.rows;
  all.forward += passes.forward;
  all.backward += passes.backward;
  all.aggregate += passes.aggregate;
  rows_done_ += slice.rows();
  if (rows_done_ < all_rows) {
    const bool images_done = slice.samples == 0 && rows_done_ == item.rows();
    return images_done ? Next::kSamples : Next::kMoreSlices;
  }
  for (std::size_t v = 0; v < samples.size(); ++v) {
    if (samples[v] == 0) continue;
    FinishSamples(
        *item.variants[v].samples, outcome_.answer.variants.front().score,
        static_cast<int64_t>(item.targets.size()), outcome_.answer.variants[v]);
  }
  return Next::kDone;
}

SampleProgress PassProgress::Samples(const PassItem& item) {
  const std::vector<int64_t> samples = SampleCounts(item);
  const auto targets = static_cast<int64_t>(item.targets.size());
  MutexLock lock(&mu_);
  return {.done = std::max<int64_t>(rows_done_ - item.rows(), 0) / targets,
          .total = item.input.size(0) *
                   std::accumulate(samples.begin(), samples.end(), int64_t{0})};
}

std::vector<int64_t> PassProgress::Classes() {
  MutexLock lock(&mu_);
  return outcome_.answer.class_index;
}

PassOutcome PassProgress::Take() {
  MutexLock lock(&mu_);
  return std::move(outcome_);
}

}  // namespace saliency
