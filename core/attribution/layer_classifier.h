// How well a linear classifier does on a layer's features: the gamma of the
// CLASSIFICATION_ACCURACY weighting.
//
// The classifier is logistic regression on the features, each shifted and
// scaled to mean 0 and standard deviation 1 over the images it learns from:
//   single label   softmax;       minimises  mean_i CE(i) + (lambda/2) |W|^2
//   multi label    a sigmoid for each class c;  minimises
//                  mean of BCE over the images with c / 2
//                  + mean of BCE over those without c / 2 + (lambda/2) |w_c|^2
// Biases are not penalised.  Both sides of a class weigh the same, as they do
// in the balanced accuracy that it is judged by; else a rare class would be
// best served by the answer "never".  Trained by L-BFGS from zero, so that the
// same images always give the same classifier.
//
// Source: the paper, sec. 4.2; LibTorch's torch::optim::LBFGS.
// Pure functions; a caller that wants the same result on any machine runs them
// with one tensor thread.
//
// Legend: M images, K features, C classes.

#ifndef SALIENCY_CORE_ATTRIBUTION_LAYER_CLASSIFIER_H_
#define SALIENCY_CORE_ATTRIBUTION_LAYER_CLASSIFIER_H_

#include <cstdint>
#include <functional>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"

namespace saliency {

struct ClassifierOptions {
  // An image may show several classes; else exactly one.
  bool multi_label = false;
  double l2_penalty = 1e-3;  // lambda >= 0
  // Asked again and again; null: never.
  std::function<bool()> cancelled;
};

// Of raw features; scores are W ((x - mean) / deviation) + b.
struct LinearClassifier {
  at::Tensor mean;       // [K] float32
  at::Tensor deviation;  // [K] float32; 1 where a feature never changes
  at::Tensor weight;     // [C,K] float32
  at::Tensor bias;       // [C] float32

  // [M,K] -> [M,C].
  at::Tensor Scores(const at::Tensor& features) const;
};

// Learns from features [M,K] float32 and labels [M,C] int8 (1 there, 0 not, -1:
// neither, which multi label alone may have).
// REQUIRES: M >= 1, features finite; single label: one 1 in each row.
// Errors: CANCELLED.
absl::StatusOr<LinearClassifier> TrainLinearClassifier(
    const at::Tensor& features, const at::Tensor& labels,
    const ClassifierOptions& options);

// Single label: the share of images whose class has the largest score (ties
// go to the lowest class).  Multi label: the mean over classes of the balanced
// accuracy, (share of the images with the class that score above 0 + share of
// those without that do not) / 2.
// REQUIRES: M >= 1; multi label: of each class an image with and one without.
double Accuracy(const LinearClassifier& classifier, const at::Tensor& features,
                const at::Tensor& labels, bool multi_label);

}  // namespace saliency

#endif  // SALIENCY_CORE_ATTRIBUTION_LAYER_CLASSIFIER_H_
