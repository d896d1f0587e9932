#include "client/cli/evaluate/pointing_metrics.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/cli/name_list.h"

namespace saliency {
namespace {

constexpr char kCentre[] = "centre";

// One value for each trial of a category.
struct Sample {
  double sum = 0;
  double squares = 0;
  int64_t count = 0;

  void Add(double value) {
    sum += value;
    squares += value * value;
    ++count;
  }
  double mean() const { return sum / static_cast<double>(count); }
  // Of the mean; 0 where a single trial says nothing about it.
  double variance() const {
    if (count < 2) return 0;
    const auto n = static_cast<double>(count);
    return std::max(squares - sum * sum / n, 0.0) / (n - 1) / n;
  }
};

// The mean over categories, with the error of a sum of independent means.
Measured MeanOver(const std::map<std::string, Sample>& samples) {
  Measured measured;
  double variance = 0;
  for (const auto& [category, sample] : samples) {
    measured.mean += sample.mean();
    variance += sample.variance();
  }
  const auto categories = static_cast<double>(samples.size());
  measured.mean /= categories;
  measured.standard_error = std::sqrt(variance) / categories;
  return measured;
}

}  // namespace

const std::vector<std::string>& PointingColumns() {
  static const auto* const columns = new std::vector<std::string>{
      "image",    "category", "difficult", "method", "place",
      "combined", "y",        "x",         "hit"};
  return *columns;
}

std::vector<std::string> PointingRow(const PointingTrial& trial) {
  return {
      trial.image,           trial.category,        trial.difficult ? "1" : "0",
      trial.method,          trial.place,           trial.combined ? "1" : "0",
      absl::StrCat(trial.y), absl::StrCat(trial.x), trial.hit ? "1" : "0"};
}

absl::StatusOr<PointingTrial> ParsePointingRow(
    const std::vector<std::string>& row) {
  PointingTrial trial;
  if (row.size() != PointingColumns().size() ||
      !absl::SimpleAtoi(row[6], &trial.y) ||
      !absl::SimpleAtoi(row[7], &trial.x)) {
    return absl::InvalidArgumentError("no row of a pointing game");
  }
  trial.image = row[0];
  trial.category = row[1];
  trial.difficult = row[2] == "1";
  trial.method = row[3];
  trial.place = row[4];
  trial.combined = row[5] == "1";
  trial.hit = row[8] == "1";
  return trial;
}

std::string SubsetName(PointingSubset subset) {
  return subset == PointingSubset::kAll ? "all" : "difficult";
}

void PointingMetrics::Add(const PointingTrial& trial) {
  const PlaceKey key(trial.method, trial.place);
  all_[key][trial.category][trial.image] = trial.hit;
  if (trial.difficult) difficult_[key][trial.category][trial.image] = trial.hit;
  images_.insert(trial.image);
  AddOnce(trial.category, categories_);
  if (trial.method == kCentre) return;
  AddOnce(trial.method, methods_);
  AddOnce(trial.place, trial.combined ? combinations_ : layers_);
}

const PointingMetrics::Outcomes* PointingMetrics::Find(
    const std::string& method, const std::string& place,
    PointingSubset subset) const {
  const auto& trials = subset == PointingSubset::kAll ? all_ : difficult_;
  const auto found = trials.find({method, place});
  return found == trials.end() ? nullptr : &found->second;
}

std::optional<PointingAccuracy> PointingMetrics::Accuracy(
    const std::string& method, const std::string& place,
    PointingSubset subset) const {
  const Outcomes* outcomes = Find(method, place, subset);
  if (outcomes == nullptr) return std::nullopt;
  PointingAccuracy accuracy;
  std::map<std::string, Sample> samples;
  for (const auto& [category, trials] : *outcomes) {
    Sample& sample = samples[category];
    PointingCount& count = accuracy.counts[category];
    for (const auto& [image, hit] : trials) {
      sample.Add(hit ? 1 : 0);
      ++count.trials;
      if (hit) ++count.hits;
    }
    accuracy.by_category[category] = sample.mean();
    accuracy.hits += count.hits;
    accuracy.trials += count.trials;
  }
  accuracy.accuracy = MeanOver(samples);
  return accuracy;
}

std::optional<std::string> PointingMetrics::Best(
    const std::string& method, const std::vector<std::string>& places,
    PointingSubset subset) const {
  std::optional<std::string> best;
  double best_mean = 0;
  for (const std::string& place : places) {
    const auto accuracy = Accuracy(method, place, subset);
    if (!accuracy.has_value()) continue;
    if (!best.has_value() || accuracy->accuracy.mean > best_mean) {
      best = place;
      best_mean = accuracy->accuracy.mean;
    }
  }
  return best;
}

std::optional<Measured> PointingMetrics::Gain(const std::string& method,
                                              const std::string& place,
                                              const std::string& reference,
                                              PointingSubset subset) const {
  const Outcomes* ours = Find(method, place, subset);
  const Outcomes* theirs = Find(method, reference, subset);
  if (ours == nullptr || theirs == nullptr) return std::nullopt;
  std::map<std::string, Sample> samples;
  for (const auto& [category, trials] : *ours) {
    const auto others = theirs->find(category);
    if (others == theirs->end()) continue;
    for (const auto& [image, hit] : trials) {
      const auto other = others->second.find(image);
      if (other == others->second.end()) continue;
      samples[category].Add((hit ? 1 : 0) - (other->second ? 1 : 0));
    }
  }
  if (samples.empty()) return std::nullopt;
  return MeanOver(samples);
}

}  // namespace saliency
