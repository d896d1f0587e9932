#include "core/attribution/feature_spread.h"

#include <ATen/ATen.h>

#include <cassert>
#include <utility>

#include "absl/strings/str_cat.h"

namespace saliency {

absl::Status FeatureSpread::Add(const at::Tensor& activation) {
  assert(activation.dim() == 4);
  if (!batches_.empty() && activation.size(1) != batches_.front().size(1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("features of ", activation.size(1),
                     " channels after features of ", batches_.front().size(1)));
  }
  at::Tensor means =
      activation.detach().mean({2, 3}).to(at::kCPU, at::kFloat).contiguous();
  if (!means.isfinite().all().item<bool>()) {
    return absl::InvalidArgumentError("a feature's mean is not finite");
  }
  images_ += means.size(0);
  batches_.push_back(std::move(means));
  return absl::OkStatus();
}

at::Tensor FeatureSpread::means() const {
  assert(!batches_.empty());
  return at::cat(batches_);
}

absl::StatusOr<double> FeatureSpread::Gamma() const {
  return Gamma(
      at::full({images_}, 1.0 / static_cast<double>(images_), at::kDouble));
}

absl::StatusOr<double> FeatureSpread::Gamma(const at::Tensor& chances) const {
  if (images_ == 0) {
    return absl::FailedPreconditionError("no image was looked at");
  }
  assert(chances.dim() == 1 && chances.size(0) == images_);
  // In float64: sums over 10^5 images.
  const at::Tensor means = this->means().to(at::kDouble);
  const at::Tensor centre = chances.matmul(means.abs());
  return chances.matmul((means - centre).abs()).mean().item<double>();
}

}  // namespace saliency
