// A sample of labelled images out of a stream of any length: of each class at
// most so many, each of its images with the same chance.
//
// Every (class, image) has a random key, and a class keeps the images of
// its smallest keys (reservoir sampling by random keys: Efraimidis, Spirakis,
// "Weighted random sampling with a reservoir", IPL 2006, with equal weights).
// So what is kept depends on the seed and the images' numbers alone, and not
// on the order in which their features become ready.  An image of several
// classes is kept while one of them keeps it.
// Thread-compatible.

#ifndef SALIENCY_CORE_ATTRIBUTION_CLASS_SAMPLE_H_
#define SALIENCY_CORE_ATTRIBUTION_CLASS_SAMPLE_H_

#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/status.h"
#include "absl/types/span.h"

namespace saliency {

// What an image shows.
struct ImageClasses {
  std::vector<int64_t> present;    // at least one, no repeats
  std::vector<int64_t> uncertain;  // neither there nor not; none of `present`
};

// What was kept, in the order of the images' numbers.
//
// Legend: M images, C classes, F features of all layers.
struct SampledImages {
  std::vector<int64_t>
      classes;          // C of them, ascending: a column of labels each
  at::Tensor features;  // [M,F] float32, CPU
  at::Tensor labels;    // [M,C] int8, CPU: 1 there, 0 not, -1 uncertain
  // [M] float64, CPU, sum 1: an image's chance when a class is drawn, each
  // with the same chance, and then one of the images that the class kept.
  at::Tensor chances;
};

class ClassSample {
 public:
  struct Options {
    int64_t per_class = 200;  // >= 1
    uint64_t seed = 0;
    int64_t max_bytes = int64_t{1} << 30;  // of features that are kept
  };

  explicit ClassSample(const Options& options) : options_(options) {}

  // Whether the image might be kept.  False is final, whatever comes later,
  // and Add would have no effect.
  bool Wants(int64_t number, absl::Span<const int64_t> present) const;

  // Looks at image `number`, each once.
  // REQUIRES: all images have the same number of features.
  // Errors: RESOURCE_EXHAUSTED what is kept has more than max_bytes, naming
  //   both; the sample is of no use then.
  absl::Status Add(int64_t number, ImageClasses classes,
                   std::vector<float> features);

  int64_t kept() const { return static_cast<int64_t>(images_.size()); }
  int64_t bytes() const { return bytes_; }

  // A class with fewer than `min_of_class` images is left out (`left_out`
  // gets it, with its number of images), and images that show no other.
  // Without a class nothing is defined.
  SampledImages Take(int64_t min_of_class,
                     std::vector<std::pair<int64_t, int64_t>>& left_out) const;

 private:
  using Entry = std::pair<uint64_t, int64_t>;  // key, image's number
  struct Image {
    ImageClasses classes;
    std::vector<float> features;
    int keepers = 0;  // classes that keep it
  };

  Entry EntryOf(int64_t of_class, int64_t number) const;
  bool WouldKeep(int64_t of_class, const Entry& entry) const;
  void Release(int64_t number);

  const Options options_;
  std::map<int64_t, std::set<Entry>> by_class_;  // the smallest per_class keys
  std::map<int64_t, Image> images_;              // by number
  int64_t bytes_ = 0;
};

}  // namespace saliency

#endif  // SALIENCY_CORE_ATTRIBUTION_CLASS_SAMPLE_H_
