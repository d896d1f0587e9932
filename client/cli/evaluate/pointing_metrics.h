// Hits and misses of the pointing game, and what follows from them.
// Thread-compatible.
//
// Source: Zhang et al., IJCV 2018, arXiv:1608.00507, sec. 4.2: accuracy is
// hits / (hits + misses) of each category, and the mean over the categories.
// Rebuffi et al., CVPR 2020, arXiv:2004.02866, Fig. 3, Tables 3, 5, 6.

#ifndef SALIENCY_CLIENT_CLI_EVALUATE_POINTING_METRICS_H_
#define SALIENCY_CLIENT_CLI_EVALUATE_POINTING_METRICS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace saliency {

// One trial: where a map points for one category of one image.
struct PointingTrial {
  std::string image;
  std::string category;
  bool difficult = false;  // of the "difficult" subset
  std::string method;      // "centre" is the baseline
  std::string place;       // a layer, or "uniform+sum" for a combination
  bool combined = false;   // which of the two
  int64_t y = 0;
  int64_t x = 0;
  bool hit = false;
};

// A trial as a row of a journal, and back.
const std::vector<std::string>& PointingColumns();
std::vector<std::string> PointingRow(const PointingTrial& trial);
// Errors: INVALID_ARGUMENT another number of fields, or one that is no number.
absl::StatusOr<PointingTrial> ParsePointingRow(
    const std::vector<std::string>& row);

enum class PointingSubset { kAll, kDifficult };
inline constexpr PointingSubset kPointingSubsets[] = {
    PointingSubset::kAll, PointingSubset::kDifficult};
// "all", "difficult".
std::string SubsetName(PointingSubset subset);

struct Measured {
  double mean = 0;            // in [0,1]; a difference: in [-1,1]
  double standard_error = 0;  // of the mean over the categories
};

struct PointingCount {
  int64_t hits = 0;
  int64_t trials = 0;  // hits and misses
};

struct PointingAccuracy {
  Measured accuracy;
  std::map<std::string, double> by_category;
  std::map<std::string, PointingCount> counts;  // by category
  int64_t hits = 0;                             // of all categories
  int64_t trials = 0;
};

class PointingMetrics {
 public:
  void Add(const PointingTrial& trial);

  // In the order in which they first came; "centre" is no method.
  const std::vector<std::string>& methods() const { return methods_; }
  const std::vector<std::string>& layers() const { return layers_; }
  const std::vector<std::string>& combinations() const { return combinations_; }
  const std::vector<std::string>& categories() const { return categories_; }
  int64_t images() const { return static_cast<int64_t>(images_.size()); }

  // None where no such trial was played.
  std::optional<PointingAccuracy> Accuracy(const std::string& method,
                                           const std::string& place,
                                           PointingSubset subset) const;
  std::optional<PointingAccuracy> Centre(PointingSubset subset) const {
    return Accuracy("centre", "", subset);
  }

  // The place with the highest accuracy among `places`; the first of equals.
  std::optional<std::string> Best(const std::string& method,
                                  const std::vector<std::string>& places,
                                  PointingSubset subset) const;

  // Accuracy at `place` less that at `reference`, over the trials that both
  // played.  The error is that of paired differences, since both saw the same
  // images.
  std::optional<Measured> Gain(const std::string& method,
                               const std::string& place,
                               const std::string& reference,
                               PointingSubset subset) const;

 private:
  using PlaceKey = std::pair<std::string, std::string>;  // method, place
  // Whether the trial of an image was a hit, by category and image.
  using Outcomes = std::map<std::string, std::map<std::string, bool>>;

  const Outcomes* Find(const std::string& method, const std::string& place,
                       PointingSubset subset) const;

  std::map<PlaceKey, Outcomes> all_;
  std::map<PlaceKey, Outcomes> difficult_;
  std::vector<std::string> methods_;
  std::vector<std::string> layers_;
  std::vector<std::string> combinations_;
  std::vector<std::string> categories_;
  std::set<std::string> images_;
};

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_EVALUATE_POINTING_METRICS_H_
