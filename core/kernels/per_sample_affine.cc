#include "core/kernels/per_sample_affine.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <vector>

#include "core/kernels/per_sample_affine_nchw.h"

namespace saliency {
namespace {

// A parallel loop has at least this many tasks for each thread, so that all
// threads end at about the same time.
constexpr int64_t kTasksPerThread = 4;
// A task has at most this many positions.  It adds them up in float32, whose
// rounding errors grow with their number.
constexpr int64_t kTaskPositions = 512;

at::Tensor ChannelsLast(const at::Tensor& x) {
  return x.contiguous(at::MemoryFormat::ChannelsLast);
}

bool IsChannelsLast(const at::Tensor& x) {
  return x.device().is_cpu() && x.scalar_type() == at::kFloat && x.dim() == 4 &&
         x.is_contiguous(at::MemoryFormat::ChannelsLast);
}

// How a channels-last tensor lies in memory, [rows][positions][channels], and
// how a parallel loop divides it into tasks.
struct Extent {
  explicit Extent(const at::Tensor& x)
      : rows(x.size(0)),
        channels(x.size(1)),
        positions(x.size(2) * x.size(3)),
        task_positions(std::clamp<int64_t>(
            positions * rows / (kTasksPerThread * at::get_num_threads()), 1,
            kTaskPositions)),
        tasks_per_row((positions + task_positions - 1) / task_positions) {}

  const int64_t rows, channels, positions, task_positions, tasks_per_row;

  // Calls visit(row, offset of the first value, number of positions, number of
  // the task) for every task, on several threads.
  template <typename Visit>
  void ForEachTask(const Visit& visit) const {
    at::parallel_for(
        0, rows * tasks_per_row, 1, [&](int64_t begin, int64_t end) {
          for (int64_t task = begin; task < end; ++task) {
            const int64_t row = task / tasks_per_row;
            const int64_t first = task % tasks_per_row * task_positions;
            visit(row, (row * positions + first) * channels,
                  std::min(task_positions, positions - first), task);
          }
        });
  }
};

// One number for each row and channel.  Undefined `values` stand for
// `otherwise` everywhere, and a single row of them for all rows.
class PerChannel {
 public:
  PerChannel(const at::Tensor& values, int64_t channels, float otherwise)
      : values_(values.defined()
                    ? values.to(at::kFloat).contiguous()
                    : at::full({1, channels}, otherwise, at::kFloat)),
        row_stride_(values_.size(0) == 1 ? 0 : channels) {}

  const float* Row(int64_t row) const {
    return values_.data_ptr<float>() + row * row_stride_;
  }

 private:
  const at::Tensor values_;
  const int64_t row_stride_;
};

const float* Data(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.data_ptr<float>() : nullptr;
}

// Whether there is a residual and a ReLU is a template argument, since a branch
// within the inner loop would keep the compiler from vectorising it.
template <bool kResidual, bool kRelu>
void AffineTask(const float* x, const float* scale, const float* shift,
                const float* residual, float* out, int64_t positions,
                int64_t channels) {
  for (int64_t u = 0; u < positions; ++u) {
    for (int64_t k = 0; k < channels; ++k) {
      float value = x[k] * scale[k] + shift[k];
      if constexpr (kResidual) value += residual[k];
      if constexpr (kRelu) value = value < 0 ? 0 : value;  // NaN stays NaN
      out[k] = value;
    }
    x += channels;
    out += channels;
    if constexpr (kResidual) residual += channels;
  }
}

void ApplyChannelsLast(const at::Tensor& x, const PerSampleAffine& affine,
                       const at::Tensor& out) {
  const Extent extent(x);
  const PerChannel scale(affine.scale, extent.channels, 1);
  const PerChannel shift(affine.shift, extent.channels, 0);
  const at::Tensor residual =
      affine.residual.defined() ? ChannelsLast(affine.residual) : at::Tensor();
  const float* from = Data(x);
  const float* add = Data(residual);
  float* to = out.data_ptr<float>();
  const auto run =
      affine.relu ? (add ? AffineTask<true, true> : AffineTask<false, true>)
                  : (add ? AffineTask<true, false> : AffineTask<false, false>);
  extent.ForEachTask([&](int64_t row, int64_t first, int64_t positions,
                         int64_t) {
    run(from + first, scale.Row(row), shift.Row(row),
        add ? add + first : nullptr, to + first, positions, extent.channels);
  });
}

// Returns `values`, [R,K] or [1,K], with as many axes as x, so that operators
// broadcast them over its positions.
at::Tensor Beside(const at::Tensor& values, const at::Tensor& x) {
  std::vector<int64_t> sizes = values.sizes().vec();
  sizes.resize(x.dim(), 1);
  return values.view(sizes);
}

// Where the data of one task begin.
struct BackwardTask {
  const float* gradient;
  const float* output;         // null: there was no ReLU
  const float* product;        // null: no product sum is wanted
  const float* product_minus;  // null: nothing is subtracted
  const float* scale;
  float* before;
  float* after;        // null: not wanted
  float* sum;          // null: not wanted
  float* product_sum;  // null: `product` is null
};

// Which sums are wanted.
enum class Sums { kNone, kPlain, kProduct, kProductLess };

// Computes one position.  __restrict tells the compiler that no two pointers
// alias: with this many it would otherwise test all pairs at run time, or not
// vectorise the loop at all.
template <bool kRelu, bool kAfter, Sums kSums>
void BackwardPosition(const float* __restrict gradient,
                      const float* __restrict output,
                      const float* __restrict product,
                      const float* __restrict product_minus,
                      const float* __restrict scale, float* __restrict before,
                      float* __restrict after, float* __restrict sum,
                      float* __restrict product_sum, int64_t channels) {
  for (int64_t k = 0; k < channels; ++k) {
    float g = gradient[k];
    if constexpr (kRelu) g = output[k] > 0 ? g : 0;
    if constexpr (kAfter) after[k] = g;
    before[k] = g * scale[k];
    if constexpr (kSums != Sums::kNone) sum[k] += g;
    if constexpr (kSums == Sums::kProduct) product_sum[k] += g * product[k];
    if constexpr (kSums == Sums::kProductLess) {
      product_sum[k] += g * (product[k] - product_minus[k]);
    }
  }
}

template <bool kRelu, bool kAfter, Sums kSums>
void BackwardPositions(const BackwardTask& t, int64_t positions,
                       int64_t channels) {
  constexpr bool kWithProduct =
      kSums == Sums::kProduct || kSums == Sums::kProductLess;
  for (int64_t u = 0; u < positions; ++u) {
    const int64_t first = u * channels;
    BackwardPosition<kRelu, kAfter, kSums>(
        t.gradient + first, kRelu ? t.output + first : nullptr,
        kWithProduct ? t.product + first : nullptr,
        kSums == Sums::kProductLess ? t.product_minus + first : nullptr,
        t.scale, t.before + first, kAfter ? t.after + first : nullptr, t.sum,
        t.product_sum, channels);
  }
}

using RunBackward = void (*)(const BackwardTask&, int64_t, int64_t);

template <bool kRelu, bool kAfter>
RunBackward ChooseSums(Sums sums) {
  switch (sums) {
    case Sums::kNone:
      return BackwardPositions<kRelu, kAfter, Sums::kNone>;
    case Sums::kPlain:
      return BackwardPositions<kRelu, kAfter, Sums::kPlain>;
    case Sums::kProduct:
      return BackwardPositions<kRelu, kAfter, Sums::kProduct>;
    case Sums::kProductLess:
      return BackwardPositions<kRelu, kAfter, Sums::kProductLess>;
  }
  return nullptr;
}

RunBackward ChooseBackward(const PerSampleAffineBackward& b) {
  const Sums sums = b.product_minus.defined() ? Sums::kProductLess
                    : b.product.defined()     ? Sums::kProduct
                    : b.wants_sum             ? Sums::kPlain
                                              : Sums::kNone;
  if (b.output.defined()) {
    return b.wants_after_scale ? ChooseSums<true, true>(sums)
                               : ChooseSums<true, false>(sums);
  }
  return b.wants_after_scale ? ChooseSums<false, true>(sums)
                             : ChooseSums<false, false>(sums);
}

float* Partial(const at::Tensor& partial, int64_t task, int64_t channels) {
  return partial.defined() ? partial.data_ptr<float>() + task * channels
                           : nullptr;
}

PerSampleAffineGradient BackwardChannelsLast(const PerSampleAffineBackward& b) {
  const at::Tensor gradient = ChannelsLast(b.gradient);
  const auto order = [](const at::Tensor& x) {
    return x.defined() ? ChannelsLast(x) : x;
  };
  const at::Tensor output = order(b.output), product = order(b.product),
                   minus = order(b.product_minus);
  const Extent extent(gradient);
  const PerChannel scale(b.scale, extent.channels, 1);
  PerSampleAffineGradient result;
  result.before_scale = at::empty_like(gradient);
  if (b.wants_after_scale) result.after_scale = at::empty_like(gradient);
  // Each task adds up into memory of its own, [rows, tasks of a row, channels],
  // so that no two threads write to the same place.
  const auto partials = [&](bool wanted) {
    return wanted
               ? at::zeros({extent.rows, extent.tasks_per_row, extent.channels},
                           at::kFloat)
               : at::Tensor();
  };
  const bool sums = b.wants_sum || product.defined();
  const at::Tensor sum = partials(sums);
  const at::Tensor product_sum = partials(product.defined());
  const RunBackward run = ChooseBackward(b);
  const auto at = [](const float* data, int64_t first) {
    return data == nullptr ? nullptr : data + first;
  };
  float* after =
      b.wants_after_scale ? result.after_scale.data_ptr<float>() : nullptr;
  extent.ForEachTask(
      [&](int64_t row, int64_t first, int64_t positions, int64_t task) {
        run({Data(gradient) + first, at(Data(output), first),
             at(Data(product), first), at(Data(minus), first), scale.Row(row),
             result.before_scale.data_ptr<float>() + first,
             after == nullptr ? nullptr : after + first,
             Partial(sum, task, extent.channels),
             Partial(product_sum, task, extent.channels)},
            positions, extent.channels);
      });
  if (sums) result.sum = sum.sum(1);
  if (product.defined()) result.product_sum = product_sum.sum(1);
  return result;
}

at::Tensor SumPositions(const at::Tensor& x) {
  return x.dim() > 2 ? x.flatten(2).sum(2) : x;
}

PerSampleAffineGradient BackwardAny(const PerSampleAffineBackward& b) {
  PerSampleAffineGradient result;
  const at::Tensor after =
      b.output.defined()
          ? at::threshold_backward(
                b.gradient.contiguous(b.output.suggest_memory_format()),
                b.output, 0)
          : b.gradient;
  if (b.wants_after_scale) result.after_scale = after;
  result.before_scale =
      b.scale.defined() ? after * Beside(b.scale, after) : after;
  if (b.wants_sum || b.product.defined()) result.sum = SumPositions(after);
  if (b.product.defined()) {
    const at::Tensor product =
        b.product_minus.defined() ? b.product - b.product_minus : b.product;
    result.product_sum = SumPositions(after * product);
  }
  return result;
}

}  // namespace

void ApplyPerSampleAffine(const at::Tensor& x, const PerSampleAffine& affine,
                          const at::Tensor& out) {
  if (IsChannelsLast(x) && IsChannelsLast(out)) {
    return ApplyChannelsLast(x, affine, out);
  }
  if (IsNchw(x) && IsNchw(out)) return ApplyNchw(x, affine, out);
  if (!out.is_same(x)) out.copy_(x);
  if (affine.scale.defined()) out.mul_(Beside(affine.scale, x));
  if (affine.shift.defined()) out.add_(Beside(affine.shift, x));
  if (affine.residual.defined()) out.add_(affine.residual);
  if (affine.relu) out.relu_();
}

PerSampleAffineGradient BackwardPerSampleAffine(
    const PerSampleAffineBackward& backward) {
  const at::Tensor& like =
      backward.output.defined() ? backward.output : backward.gradient;
  if (IsChannelsLast(like)) return BackwardChannelsLast(backward);
  return IsNchw(like) ? BackwardNchw(backward) : BackwardAny(backward);
}

}  // namespace saliency
