// Score-CAM: each channel of a layer masks the image, and the scores of the
// masked images weigh the channels.  Forward passes alone, one for each
// channel. Pure functions; safe from any thread.
//
// Source: Wang et al., CVPR-W 2020, arXiv:1910.01279, eq. 3 to 6.  The score of
// the baseline is the same for all channels and cancels in their softmax.

#ifndef SALIENCY_CORE_ATTRIBUTION_SCORE_CAM_H_
#define SALIENCY_CORE_ATTRIBUTION_SCORE_CAM_H_

#include <cstdint>

#include "ATen/core/Tensor.h"
#include "core/attribution/method.h"

namespace saliency {

// Channel number `channel` of an activation [K,H,W], resized to `height` x
// `width` (bilinear, align_corners = false) and stretched to [0,1]; zeros where
// it is constant there.  Returns [height,width] float32.
at::Tensor ScoreCamMask(const at::Tensor& activation, int64_t channel,
                        int64_t height, int64_t width);

// (sum_k w_k x_k)+ with w the softmax of `scores` [K] float64 over the channels
// that are not constant (max - min <= 1e-6 max|x|): those tell of no place.
// Returns [H,W] float64; zeros when all are constant.
at::Tensor ScoreCamMap(const at::Tensor& activation, const at::Tensor& scores);

// Makes [B,K,H,W], the activation itself: what the masks are made of.
extern const Method kScoreCamActivation;

}  // namespace saliency

#endif  // SALIENCY_CORE_ATTRIBUTION_SCORE_CAM_H_
