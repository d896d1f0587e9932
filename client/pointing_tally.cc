#include "client/pointing_tally.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/name_list.h"

namespace saliency {
namespace {

constexpr char kCentre[] = "centre";

// One value for each game of a category.
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
  // Of the mean; 0 where a single game says nothing about it.
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
      "picture",  "category", "difficult", "method", "place",
      "combined", "y",        "x",         "hit"};
  return *columns;
}

std::vector<std::string> PointingRow(const PointingGame& game) {
  return {game.picture,         game.category,        game.hard ? "1" : "0",
          game.method,          game.place,           game.combined ? "1" : "0",
          absl::StrCat(game.y), absl::StrCat(game.x), game.hit ? "1" : "0"};
}

absl::StatusOr<PointingGame> ParsePointingRow(
    const std::vector<std::string>& row) {
  PointingGame game;
  if (row.size() != PointingColumns().size() ||
      !absl::SimpleAtoi(row[6], &game.y) ||
      !absl::SimpleAtoi(row[7], &game.x)) {
    return absl::InvalidArgumentError("no row of a pointing game");
  }
  game.picture = row[0];
  game.category = row[1];
  game.hard = row[2] == "1";
  game.method = row[3];
  game.place = row[4];
  game.combined = row[5] == "1";
  game.hit = row[8] == "1";
  return game;
}

std::string SubsetName(PointingSubset subset) {
  return subset == PointingSubset::kAll ? "all" : "difficult";
}

void PointingTally::Add(const PointingGame& game) {
  const PlaceKey key(game.method, game.place);
  all_[key][game.category][game.picture] = game.hit;
  if (game.hard) hard_[key][game.category][game.picture] = game.hit;
  pictures_.insert(game.picture);
  AddOnce(game.category, categories_);
  if (game.method == kCentre) return;
  AddOnce(game.method, methods_);
  AddOnce(game.place, game.combined ? combinations_ : layers_);
}

const PointingTally::Outcomes* PointingTally::Find(
    const std::string& method, const std::string& place,
    PointingSubset subset) const {
  const auto& games = subset == PointingSubset::kAll ? all_ : hard_;
  const auto found = games.find({method, place});
  return found == games.end() ? nullptr : &found->second;
}

std::optional<PointingAccuracy> PointingTally::Accuracy(
    const std::string& method, const std::string& place,
    PointingSubset subset) const {
  const Outcomes* outcomes = Find(method, place, subset);
  if (outcomes == nullptr) return std::nullopt;
  PointingAccuracy accuracy;
  std::map<std::string, Sample> samples;
  for (const auto& [category, games] : *outcomes) {
    Sample& sample = samples[category];
    PointingCount& count = accuracy.counts[category];
    for (const auto& [picture, hit] : games) {
      sample.Add(hit ? 1 : 0);
      ++count.games;
      if (hit) ++count.hits;
    }
    accuracy.by_category[category] = sample.mean();
    accuracy.hits += count.hits;
    accuracy.games += count.games;
  }
  accuracy.accuracy = MeanOver(samples);
  return accuracy;
}

std::optional<std::string> PointingTally::Best(
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

std::optional<Measured> PointingTally::Gain(const std::string& method,
                                            const std::string& place,
                                            const std::string& reference,
                                            PointingSubset subset) const {
  const Outcomes* ours = Find(method, place, subset);
  const Outcomes* theirs = Find(method, reference, subset);
  if (ours == nullptr || theirs == nullptr) return std::nullopt;
  std::map<std::string, Sample> samples;
  for (const auto& [category, games] : *ours) {
    const auto others = theirs->find(category);
    if (others == theirs->end()) continue;
    for (const auto& [picture, hit] : games) {
      const auto other = others->second.find(picture);
      if (other == others->second.end()) continue;
      samples[category].Add((hit ? 1 : 0) - (other->second ? 1 : 0));
    }
  }
  if (samples.empty()) return std::nullopt;
  return MeanOver(samples);
}

}  // namespace saliency
