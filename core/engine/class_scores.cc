#include "core/engine/class_scores.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace saliency {
namespace {

std::vector<float> Sigmoid(absl::Span<const float> logits) {
  std::vector<float> result;
  result.reserve(logits.size());
  for (const double logit : logits) {
    result.push_back(static_cast<float>(1 / (1 + std::exp(-logit))));
  }
  return result;
}

// The largest logit is taken off first, so that no exponential overflows.
std::vector<float> Softmax(absl::Span<const float> logits) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const double logit : logits) sum += std::exp(logit - largest);
  std::vector<float> result;
  result.reserve(logits.size());
  for (const double logit : logits) {
    result.push_back(static_cast<float>(std::exp(logit - largest) / sum));
  }
  return result;
}

}  // namespace

ClassScores::ClassScores(absl::Span<const float> logits,
                         OutputActivation activation,
                         absl::Span<const std::string> labels)
    : logits_(logits.begin(), logits.end()),
      probabilities_(activation == OutputActivation::kSigmoid
                         ? Sigmoid(logits)
                         : Softmax(logits)),
      labels_(labels) {}

ClassScore ClassScores::Of(int64_t index) const {
  ClassScore score = {.index = index,
                      .logit = logits_[index],
                      .probability = probabilities_[index]};
  if (index < static_cast<int64_t>(labels_.size())) {
    score.label = labels_[index];
  }
  return score;
}

std::vector<ClassScore> ClassScores::Top(int count) const {
  std::vector<int64_t> order(logits_.size());
  std::iota(order.begin(), order.end(), 0);
  const auto kept =
      order.begin() +
      std::min<int64_t>(count, static_cast<int64_t>(order.size()));
  std::partial_sort(
      order.begin(), kept, order.end(), [this](int64_t a, int64_t b) {
        return logits_[a] > logits_[b] || (logits_[a] == logits_[b] && a < b);
      });
  std::vector<ClassScore> top;
  for (auto it = order.begin(); it != kept; ++it) top.push_back(Of(*it));
  return top;
}

}  // namespace saliency
