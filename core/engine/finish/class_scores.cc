#include "core/engine/finish/class_scores.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace saliency {
namespace {

using OptionalFloats = std::vector<std::optional<float>>;

template <typename Function>
OptionalFloats OfEach(absl::Span<const float> outputs, Function probability) {
  OptionalFloats result;
  result.reserve(outputs.size());
  for (const double output : outputs) result.push_back(probability(output));
  return result;
}

std::optional<float> Sigmoid(double logit) {
  return static_cast<float>(1 / (1 + std::exp(-logit)));
}

// What a model calls a probability is one, or nothing is said.
std::optional<float> Given(double probability) {
  constexpr double kRounding = 1e-2;  // of bfloat16
  if (!(probability >= -kRounding && probability <= 1 + kRounding)) {
    return std::nullopt;
  }
  return static_cast<float>(std::clamp(probability, 0.0, 1.0));
}

// The largest logit is taken off first, so that no exponential overflows.
OptionalFloats Softmax(absl::Span<const float> logits) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const double logit : logits) sum += std::exp(logit - largest);
  return OfEach(logits, [&](double logit) {
    return static_cast<float>(std::exp(logit - largest) / sum);
  });
}

OptionalFloats ProbabilitiesOf(absl::Span<const float> outputs,
                               Probabilities probabilities) {
  switch (probabilities) {
    case Probabilities::kSoftmax:
      return Softmax(outputs);
    case Probabilities::kSigmoid:
      return OfEach(outputs, &Sigmoid);
    case Probabilities::kGiven:
      return OfEach(outputs, &Given);
    case Probabilities::kGivenLogs:
      return OfEach(outputs, [](double log) { return Given(std::exp(log)); });
    case Probabilities::kNone:
      break;
  }
  return OptionalFloats(outputs.size());
}

}  // namespace

ClassScores::ClassScores(absl::Span<const float> logits,
                         Probabilities probabilities,
                         absl::Span<const std::string> labels)
    : logits_(logits.begin(), logits.end()),
      probabilities_(ProbabilitiesOf(logits, probabilities)),
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
