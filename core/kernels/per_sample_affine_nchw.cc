#include "core/kernels/per_sample_affine_nchw.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <array>

namespace saliency {
namespace {

// A task of a parallel loop has about this many values, 64 KiB of each tensor.
constexpr int64_t kTaskValues = 16384;
// A block of this many values is added up in float32, in kLanes sums side by
// side, and the sums of the blocks in double.
constexpr int64_t kLanes = 16;
constexpr int64_t kBlock = 64 * kLanes;

// Returns `values`, [R,K] or [1,K], as [R,K]; undefined `values` stand for
// `otherwise` everywhere.
at::Tensor ForEachPlane(const at::Tensor& values, const at::Tensor& x,
                        float otherwise) {
  if (!values.defined()) {
    return at::full({x.size(0), x.size(1)}, otherwise, at::kFloat);
  }
  return values.to(at::kFloat).expand({x.size(0), x.size(1)}).contiguous();
}

// Calls visit(number of the plane, offset of its first value) for every plane
// of x, the [H,W] of one row and channel, on several threads.
template <typename Visit>
void ForEachPlaneOf(const at::Tensor& x, const Visit& visit) {
  const int64_t positions = x.size(2) * x.size(3);
  const int64_t at_once = std::max<int64_t>(1, kTaskValues / positions);
  at::parallel_for(0, x.size(0) * x.size(1), at_once,
                   [&](int64_t begin, int64_t end) {
                     for (int64_t plane = begin; plane < end; ++plane) {
                       visit(plane, plane * positions);
                     }
                   });
}

const float* At(const at::Tensor& tensor, int64_t first) {
  return tensor.defined() ? tensor.data_ptr<float>() + first : nullptr;
}

at::Tensor Nchw(const at::Tensor& x) {
  return x.defined() ? x.contiguous() : x;
}

// Whether there is a residual and a ReLU is a template argument, since a branch
// within the loop would keep the compiler from vectorising it.
template <bool kResidual, bool kRelu>
void AffinePlane(const float* x, float scale, float shift,
                 const float* residual, float* out, int64_t positions) {
  for (int64_t u = 0; u < positions; ++u) {
    float value = x[u] * scale + shift;
    if constexpr (kResidual) value += residual[u];
    if constexpr (kRelu) value = value < 0 ? 0 : value;  // NaN stays NaN
    out[u] = value;
  }
}

// Where the data of one plane begin.  A pointer is null where the tensor is not
// given or the result is not wanted.
struct Plane {
  const float* gradient;
  const float* output;
  const float* product;
  const float* product_minus;
  float* before;
  float* after;
  float* sum;
  float* product_sum;
};

// Adds up a block.  The compiler keeps the lanes, which do not depend on each
// other, in vector registers; the order of a single sum of floats it may not
// change.
double SumOf(const std::array<float, kBlock>& block) {
  std::array<float, kLanes> lanes = {};
  for (int64_t first = 0; first < kBlock; first += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      lanes[lane] += block[first + lane];
    }
  }
  double sum = 0;
  for (const float lane : lanes) sum += lane;
  return sum;
}

// Computes `count` positions from `first` on, at most kBlock of them, and adds
// what they contribute to the two sums.
template <bool kRelu>
void BackwardBlock(const Plane& p, float scale, int64_t first, int64_t count,
                   double& sum, double& product_sum) {
  std::array<float, kBlock> g;
  for (int64_t i = 0; i < count; ++i) {
    const float gradient = p.gradient[first + i];
    g[i] = kRelu ? (p.output[first + i] > 0 ? gradient : 0) : gradient;
    p.before[first + i] = g[i] * scale;
  }
  if (p.after != nullptr) std::copy_n(g.data(), count, p.after + first);
  if (p.sum == nullptr && p.product_sum == nullptr) return;
  std::fill(g.begin() + count, g.end(), 0.0F);
  sum += SumOf(g);
  if (p.product_sum == nullptr) return;
  for (int64_t i = 0; i < count; ++i) {
    float factor = p.product[first + i];
    if (p.product_minus != nullptr) factor -= p.product_minus[first + i];
    g[i] *= factor;
  }
  product_sum += SumOf(g);
}

template <bool kRelu>
void BackwardPlane(const Plane& p, float scale, int64_t positions) {
  double sum = 0, product_sum = 0;
  for (int64_t first = 0; first < positions; first += kBlock) {
    BackwardBlock<kRelu>(p, scale, first, std::min(kBlock, positions - first),
                         sum, product_sum);
  }
  if (p.sum != nullptr) *p.sum = static_cast<float>(sum);
  if (p.product_sum != nullptr) {
    *p.product_sum = static_cast<float>(product_sum);
  }
}

}  // namespace

bool IsNchw(const at::Tensor& x) {
  return x.device().is_cpu() && x.scalar_type() == at::kFloat && x.dim() == 4 &&
         x.is_contiguous();
}

void ApplyNchw(const at::Tensor& x, const PerSampleAffine& affine,
               const at::Tensor& out) {
  const at::Tensor scale = ForEachPlane(affine.scale, x, 1);
  const at::Tensor shift = ForEachPlane(affine.shift, x, 0);
  const at::Tensor residual = Nchw(affine.residual);
  const bool adds = residual.defined();
  const auto run =
      affine.relu
          ? (adds ? AffinePlane<true, true> : AffinePlane<false, true>)
          : (adds ? AffinePlane<true, false> : AffinePlane<false, false>);
  const int64_t positions = x.size(2) * x.size(3);
  const float* scales = scale.data_ptr<float>();
  const float* shifts = shift.data_ptr<float>();
  ForEachPlaneOf(x, [&](int64_t plane, int64_t first) {
    run(At(x, first), scales[plane], shifts[plane], At(residual, first),
        out.data_ptr<float>() + first, positions);
  });
}

PerSampleAffineGradient BackwardNchw(const PerSampleAffineBackward& b) {
  const at::Tensor gradient = Nchw(b.gradient), output = Nchw(b.output),
                   product = Nchw(b.product), minus = Nchw(b.product_minus);
  const at::Tensor scale = ForEachPlane(b.scale, gradient, 1);
  const auto sums = [&](bool wanted) {
    return wanted ? at::empty({gradient.size(0), gradient.size(1)}, at::kFloat)
                  : at::Tensor();
  };
  PerSampleAffineGradient result;
  result.before_scale = at::empty_like(gradient);
  if (b.wants_after_scale) result.after_scale = at::empty_like(gradient);
  result.sum = sums(b.wants_sum || product.defined());
  result.product_sum = sums(product.defined());
  const auto written = [](const at::Tensor& tensor, int64_t at) {
    return tensor.defined() ? tensor.data_ptr<float>() + at : nullptr;
  };
  const auto run =
      output.defined() ? BackwardPlane<true> : BackwardPlane<false>;
  const int64_t positions = gradient.size(2) * gradient.size(3);
  const float* scales = scale.data_ptr<float>();
  ForEachPlaneOf(gradient, [&](int64_t plane, int64_t first) {
    run({At(gradient, first), At(output, first), At(product, first),
         At(minus, first), written(result.before_scale, first),
         written(result.after_scale, first), written(result.sum, plane),
         written(result.product_sum, plane)},
        scales[plane], positions);
  });
  return result;
}

}  // namespace saliency
