#include "core/attribution/layer_classifier.h"

#include <torch/optim/lbfgs.h>

#include <cassert>
#include <utility>
#include <vector>

namespace saliency {
namespace {

constexpr int kMaxIterations = 500;
constexpr int kHistory = 10;
// Largest element of the gradient.  float32 sums of features of size 1 know it
// to about 1e-6.
constexpr double kGradientTolerance = 1e-5;

// What is minimised, without the penalty.
class Loss {
 public:
  Loss(const at::Tensor& labels, bool multi_label) : multi_label_(multi_label) {
    if (!multi_label) {
      index_ = labels.argmax(1);
      return;
    }
    present_ = labels.eq(1).to(at::kFloat);
    const at::Tensor absent = labels.eq(0).to(at::kFloat);
    // A side without images has no mean, and weighs nothing.
    const auto half = [](const at::Tensor& side) {
      return side * (0.5 / side.sum(0, /*keepdim=*/true).clamp_min(1));
    };
    weight_ = half(present_) + half(absent);
  }

  at::Tensor operator()(const at::Tensor& scores) const {
    if (!multi_label_) return at::cross_entropy_loss(scores, index_);
    // log(1 + e^z) - y z, in the form that does not overflow.
    const at::Tensor losses = at::softplus(scores) - present_ * scores;
    return (weight_ * losses).sum();
  }

 private:
  const bool multi_label_;
  at::Tensor index_;    // [M] int64
  at::Tensor present_;  // [M,C] 0 or 1
  at::Tensor weight_;   // [M,C]
};

// Fits weight and bias to standardised features.
absl::Status Minimise(const at::Tensor& inputs, const Loss& loss,
                      const ClassifierOptions& options,
                      LinearClassifier& classifier) {
  const at::AutoGradMode with_grad(true);
  at::Tensor weight = classifier.weight.clone().set_requires_grad(true);
  at::Tensor bias = classifier.bias.clone().set_requires_grad(true);
  torch::optim::LBFGS optimiser({weight, bias},
                                torch::optim::LBFGSOptions(1)
                                    .max_iter(kMaxIterations)
                                    .max_eval(2 * kMaxIterations)
                                    .history_size(kHistory)
                                    .tolerance_grad(kGradientTolerance)
                                    .line_search_fn("strong_wolfe"));
  bool cancelled = false;
  const auto evaluate = [&] {
    optimiser.zero_grad();
    cancelled = cancelled || (options.cancelled && options.cancelled());
    if (cancelled) {  // a gradient of zero is where the optimiser stops
      weight.mutable_grad() = at::zeros_like(weight);
      bias.mutable_grad() = at::zeros_like(bias);
      return at::zeros({}, weight.options().requires_grad(false));
    }
    at::Tensor total = loss(at::addmm(bias, inputs, weight.t())) +
                       weight.square().sum() * (options.l2_penalty / 2);
    total.backward();
    return total.detach();
  };
  optimiser.step(evaluate);
  if (cancelled) return absl::CancelledError("cancelled");
  classifier.weight = weight.detach();
  classifier.bias = bias.detach();
  return absl::OkStatus();
}

// Of the images that count, the share that is right.
at::Tensor ShareRight(const at::Tensor& right, const at::Tensor& counts) {
  return (right * counts).sum(0, /*keepdim=*/false, at::kDouble) /
         counts.sum(0, /*keepdim=*/false, at::kDouble);
}

}  // namespace

at::Tensor LinearClassifier::Scores(const at::Tensor& features) const {
  return at::addmm(bias, (features - mean) / deviation, weight.t());
}

absl::StatusOr<LinearClassifier> TrainLinearClassifier(
    const at::Tensor& features, const at::Tensor& labels,
    const ClassifierOptions& options) {
  assert(features.dim() == 2 && features.size(0) == labels.size(0));
  const at::NoGradGuard no_grad;
  LinearClassifier classifier = {
      .mean = features.mean(0),
      .weight = at::zeros({labels.size(1), features.size(1)}, at::kFloat),
      .bias = at::zeros({labels.size(1)}, at::kFloat)};
  const at::Tensor spread = features.std(0, /*unbiased=*/false);
  // Rounding leaves a spread to a feature that never changes.
  const at::Tensor constant = spread.le(classifier.mean.abs() * 1e-6);
  classifier.deviation = spread.masked_fill(constant, 1);
  const at::Tensor inputs = (features - classifier.mean) / classifier.deviation;
  const absl::Status trained =
      Minimise(inputs, Loss(labels, options.multi_label), options, classifier);
  if (!trained.ok()) return trained;
  return classifier;
}

double Accuracy(const LinearClassifier& classifier, const at::Tensor& features,
                const at::Tensor& labels, bool multi_label) {
  const at::NoGradGuard no_grad;
  const at::Tensor scores = classifier.Scores(features);
  if (!multi_label) {
    return scores.argmax(1)
        .eq(labels.argmax(1))
        .to(at::kDouble)
        .mean()
        .item<double>();
  }
  const at::Tensor above = scores.gt(0);
  const at::Tensor found = ShareRight(above, labels.eq(1));
  const at::Tensor spared = ShareRight(above.logical_not(), labels.eq(0));
  return ((found + spared) / 2).mean().item<double>();
}

}  // namespace saliency
