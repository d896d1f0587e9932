#include "core/attribution/principal_map.h"

#include <ATen/ATen.h>

#include <limits>
#include <vector>

namespace saliency {
namespace {

// Of one row, [H,W].
at::Tensor MapOfRow(const at::Tensor& values) {
  if (!values.isfinite().all().item<bool>()) {
    return at::full_like(values[0], std::numeric_limits<float>::quiet_NaN());
  }
  const at::Tensor matrix = values.flatten(1).to(at::kDouble).t();  // [HW,K]
  const at::Tensor centred = matrix - matrix.mean(0, /*keepdim=*/true);
  // The scores on the first component, by the smaller of both Gram matrices:
  // eigenvalues come in ascending order.
  at::Tensor scores;
  if (centred.size(0) <= centred.size(1)) {
    const auto [squares, left] = at::linalg_eigh(at::mm(centred, centred.t()));
    scores = left.select(1, -1) * squares.select(0, -1).clamp_min(0).sqrt();
  } else {
    const auto [squares, right] = at::linalg_eigh(at::mm(centred.t(), centred));
    scores = at::mv(centred, right.select(1, -1));
  }
  const at::Tensor strength = matrix.abs().sum(1);
  const double along =
      (scores * (strength - strength.mean())).sum().item<double>();
  if (along < 0) scores = -scores;
  return scores.to(at::kFloat).view({values.size(1), values.size(2)});
}

}  // namespace

at::Tensor PrincipalMap(const at::Tensor& values) {
  std::vector<at::Tensor> maps;
  maps.reserve(values.size(0));
  for (int64_t row = 0; row < values.size(0); ++row) {
    maps.push_back(MapOfRow(values[row]));
  }
  return at::stack(maps);
}

}  // namespace saliency
