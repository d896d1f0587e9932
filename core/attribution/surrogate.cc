#include "core/attribution/surrogate.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

namespace saliency {
namespace {

constexpr int64_t kRowsAtOnce = 1024;  // bounds the memory

// Sums over samples, of what `add` makes of some z [r,M] and w [r], float64.
template <typename Add>
void SumOver(const Coalitions& coalitions, const Add& add) {
  for (int64_t first = 0; first < coalitions.count(); first += kRowsAtOnce) {
    const int64_t rows = std::min(kRowsAtOnce, coalitions.count() - first);
    add(coalitions.kept.narrow(0, first, rows).to(at::kDouble),
        coalitions.weights.narrow(0, first, rows));
  }
}

// [M]: sum_s w_s z_s.
at::Tensor WeightedSum(const Coalitions& coalitions) {
  at::Tensor sum = at::zeros({coalitions.segments()}, at::kDouble);
  SumOver(coalitions, [&](const at::Tensor& kept, const at::Tensor& weights) {
    sum += at::mv(kept.t(), weights);
  });
  return sum;
}

// [M,M]: sum_s w_s (z_s - centre)(z_s - centre)^T.
at::Tensor Moments(const Coalitions& coalitions, const at::Tensor& centre) {
  const int64_t segments = coalitions.segments();
  at::Tensor sum = at::zeros({segments, segments}, at::kDouble);
  SumOver(coalitions, [&](const at::Tensor& kept, const at::Tensor& weights) {
    const at::Tensor apart = kept - centre;
    sum += at::mm(apart.t(), apart * weights.unsqueeze(1));
  });
  return sum;
}

// Of what is no more than rounding beside the largest eigenvalue: 0.
at::Tensor Inverse(const at::Tensor& symmetric) {
  return at::linalg_pinv(symmetric, /*rcond=*/1e-12, /*hermitian=*/true);
}

// [M,1+M].
at::Tensor Beside(const at::Tensor& column, const at::Tensor& matrix) {
  return at::cat({column.unsqueeze(1), matrix}, 1);
}

}  // namespace

Surrogate RidgeSurrogate(Coalitions coalitions, double ridge) {
  // With z and y less their means b falls out.
  const at::Tensor mean = WeightedSum(coalitions) / coalitions.weights.sum();
  const int64_t segments = coalitions.segments();
  const at::Tensor inverse = Inverse(Moments(coalitions, mean) +
                                     ridge * at::eye(segments, mean.options()));
  const at::Tensor offset_weights = coalitions.weights;
  return {.coalitions = std::move(coalitions),
          .offset_weights = offset_weights,
          .of_sums = Beside(-at::mv(inverse, mean), inverse),
          .of_score = at::zeros({segments}, at::kDouble)};
}

Surrogate ShapleySurrogate(Coalitions coalitions) {
  // c is equal shares and a part that sums to 0, whose least squares these are.
  const at::Tensor sum = WeightedSum(coalitions);
  const at::Tensor share =
      at::full_like(sum, 1 / static_cast<double>(coalitions.segments()));
  const at::Tensor moments = Moments(coalitions, at::zeros_like(sum));
  const at::Tensor rows = moments - moments.mean(0, /*keepdim=*/true);
  const at::Tensor inverse = Inverse(rows - rows.mean(1, /*keepdim=*/true));
  const at::Tensor of_score = share - at::mv(inverse, at::mv(moments, share));
  at::Tensor offset_weights = at::zeros_like(coalitions.weights);
  offset_weights[0].fill_(1);
  return {.coalitions = std::move(coalitions),
          .offset_weights = offset_weights,
          .of_sums = Beside(-at::mv(inverse, sum) - of_score, inverse),
          .of_score = of_score};
}

at::Tensor TermsOf(const Surrogate& surrogate, int64_t sample, int64_t width) {
  at::Tensor terms = at::zeros({1, 1 + width}, at::kFloat);
  const Coalitions& coalitions = surrogate.coalitions;
  if (sample >= coalitions.count()) return terms;
  terms[0][0].copy_(surrogate.offset_weights[sample]);
  terms[0]
      .narrow(0, 1, coalitions.segments())
      .copy_(coalitions.kept[sample] * coalitions.weights[sample]);
  return terms;
}

at::Tensor Coefficients(const Surrogate& surrogate, const at::Tensor& sums,
                        double score) {
  const int64_t terms = surrogate.of_sums.size(1);
  return at::mv(surrogate.of_sums, sums.narrow(0, 0, terms)) +
         surrogate.of_score * score;
}

}  // namespace saliency
