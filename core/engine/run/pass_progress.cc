#include "core/engine/run/pass_progress.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <utility>

#include "core/engine/run/sample_sums.h"

namespace saliency {
namespace {

// What the samples of a variant mask the item's image number `image` by, as its
// first target's row recorded it.
absl::StatusOr<at::Tensor>& MaskActivationOf(const PassItem& item,
                                             const Variant& variant,
                                             int64_t image,
                                             PassAnswer& answer) {
  const auto targets = static_cast<int64_t>(item.targets.size());
  const auto maps =
      static_cast<int64_t>(item.variants.front().attributions.size());
  return answer.variants.front()
      .maps[image * targets * maps + variant.mask_source];
}

}  // namespace

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
    const Variant& variant = item.variants[v];
    std::vector<absl::StatusOr<at::Tensor>> activations;  // by image
    for (int64_t i = 0; variant.mask_source >= 0 && i < item.input.size(0);
         ++i) {
      activations.push_back(
          MaskActivationOf(item, variant, i, outcome_.answer));
    }
    FinishSamples(*variant.samples, outcome_.answer.variants.front().score,
                  static_cast<int64_t>(item.targets.size()),
                  outcome_.answer.variants[v], activations);
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

at::Tensor PassProgress::MaskActivation(const PassItem& item,
                                        const RowSlice& slice) {
  const Variant& variant = item.variants[slice.variant];
  if (slice.samples == 0 || variant.mask_source < 0) return {};
  MutexLock lock(&mu_);
  const absl::StatusOr<at::Tensor>& activation =
      MaskActivationOf(item, variant, slice.first_image, outcome_.answer);
  return activation.ok() ? *activation : at::Tensor();
}

PassOutcome PassProgress::Take() {
  MutexLock lock(&mu_);
  return std::move(outcome_);
}

}  // namespace saliency
