// A convolution at theta', for a batch whose rows have each taken a step of
// their own: W'_r = W - c_r sum_u g_ru patch(x_r)_u^T, u over the output's
// positions.
//
// Two exact forms, chosen by the number of multiplications:
//   explicit  W'_r is formed and row r convolved with it.  For wide features:
//             the weight is smaller than x and g, which need not be kept.
//   Gram      W * y_r - c_r sum_u g_ru <patch(x_r)_u, patch(y_r)_v>: the rows
//             share one convolution and no weight is formed.  For deep layers,
//             whose H W is small against the weight's sides.
//
// Internal to the model room.  Safe from any thread.
//
// Legend: R rows, C and K channels in and out, N output positions; x, g the
// input and the loss's output gradient in pass 1; y, h the same in pass 2.

#ifndef SALIENCY_CORE_KERNELS_STEPPED_CONV_H_
#define SALIENCY_CORE_KERNELS_STEPPED_CONV_H_

#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/types/span.h"
#include "c10/core/MemoryFormat.h"
#include "core/attribution/layer_record.h"

namespace saliency {

// One convolution's step for all rows.  Without either form: no step.
struct ConvStep {
  std::vector<at::Tensor> weights;  // explicit: W'_r, by row
  at::Tensor x, g;                  // Gram: [R,C,Hin,Win], [R,K,H,W]
  std::vector<double> sizes;        // Gram: c_r

  bool is_explicit() const { return !weights.empty(); }
  bool is_gram() const { return x.defined(); }
};

// Whether this machine's kernels for channels-last tensors are the slower ones:
// found once, and only what is fast hangs on it.  Tests try both.
bool ChannelsLastIsSlow();
void SetChannelsLastIsSlow(bool is_slow);

// Whether the Gram form takes fewer multiplications, for any batch.
// REQUIRES: 4-d tensors; `weight` is [K,C/groups,kh,kw].
bool PrefersGram(const at::Tensor& x, const at::Tensor& g,
                 const at::Tensor& weight, const ConvGeometry& geometry);

// `weight` is W; its memory order, best OrderOfConv's, becomes that of the
// stepped weights.
ConvStep MakeConvStep(const at::Tensor& x, const at::Tensor& g,
                      const at::Tensor& weight, const ConvGeometry& geometry,
                      absl::Span<const double> sizes);

// The memory order that the other functions want x and the weight in, and
// answer in: channels-last, or NCHW where those take less time.
at::MemoryFormat OrderOfConv(const at::Tensor& x, const ConvGeometry& geometry);

// W * x without bias.
at::Tensor PlainConv(const at::Tensor& x, const at::Tensor& weight,
                     const ConvGeometry& geometry);
// d/dx of it for output gradient `h`; `x` gives the size.
at::Tensor PlainConvBackward(const at::Tensor& h, const at::Tensor& x,
                             const at::Tensor& weight,
                             const ConvGeometry& geometry);

// The Gram form's second term, added to `out` [R,K,H,W] = W * y.
void AddGramStep(const ConvStep& step, const at::Tensor& y,
                 const ConvGeometry& geometry, const at::Tensor& out);
// Its gradient for output gradient `h`, added to `gradient` [R,C,Hin,Win].
void AddGramStepBackward(const ConvStep& step, const at::Tensor& h,
                         const ConvGeometry& geometry,
                         const at::Tensor& gradient);

}  // namespace saliency

#endif  // SALIENCY_CORE_KERNELS_STEPPED_CONV_H_
