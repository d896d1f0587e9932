#include "core/attribution/measures.h"

#include <ATen/ATen.h>

#include <cassert>
#include <cstddef>

#include "absl/types/span.h"
#include "core/base/rank_correlation.h"

namespace saliency {
namespace {

absl::Span<const float> Values(const at::Tensor& map) {
  return absl::MakeConstSpan(map.data_ptr<float>(),
                             static_cast<std::size_t>(map.numel()));
}

}  // namespace

std::vector<std::optional<double>> Spearman(const at::Tensor& a,
                                            const at::Tensor& b) {
  assert(a.dim() == 3 && a.sizes() == b.sizes());
  const at::Tensor on_cpu_a = a.to(at::kCPU, at::kFloat).contiguous();
  const at::Tensor on_cpu_b = b.to(at::kCPU, at::kFloat).contiguous();
  std::vector<std::optional<double>> rho(a.size(0));
  for (int64_t row = 0; row < a.size(0); ++row) {
    rho[row] = RankCorrelation(Values(on_cpu_a[row]), Values(on_cpu_b[row]));
  }
  return rho;
}

}  // namespace saliency
