#include "core/attribution/class_sample.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cassert>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "core/attribution/random_key.h"

namespace saliency {
namespace {

int64_t BytesOf(const std::vector<float>& features) {
  return static_cast<int64_t>(features.size() * sizeof(float));
}

}  // namespace

ClassSample::Entry ClassSample::EntryOf(int64_t of_class,
                                        int64_t number) const {
  return {RandomKey(options_.seed, static_cast<uint64_t>(of_class),
                    static_cast<uint64_t>(number)),
          number};
}

bool ClassSample::WouldKeep(int64_t of_class, const Entry& entry) const {
  const auto kept = by_class_.find(of_class);
  if (kept == by_class_.end()) return true;
  return static_cast<int64_t>(kept->second.size()) < options_.per_class ||
         entry < *kept->second.rbegin();
}

bool ClassSample::Wants(int64_t number,
                        absl::Span<const int64_t> present) const {
  return std::any_of(present.begin(), present.end(), [&](int64_t of_class) {
    return WouldKeep(of_class, EntryOf(of_class, number));
  });
}

absl::Status ClassSample::Add(int64_t number, ImageClasses classes,
                              std::vector<float> features) {
  if (!Wants(number, classes.present)) return absl::OkStatus();
  bytes_ += BytesOf(features);
  Image& image = images_[number];
  image.features = std::move(features);
  image.classes = std::move(classes);
  for (const int64_t of_class : image.classes.present) {
    const Entry entry = EntryOf(of_class, number);
    if (!WouldKeep(of_class, entry)) continue;
    std::set<Entry>& kept = by_class_[of_class];
    kept.insert(entry);
    ++image.keepers;
    if (static_cast<int64_t>(kept.size()) <= options_.per_class) continue;
    const auto largest = std::prev(kept.end());
    Release(largest->second);
    kept.erase(largest);
  }
  if (bytes_ <= options_.max_bytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(
      "the features of ", kept(), " images have ", bytes_, " bytes, of at ",
      "most ", options_.max_bytes, ": keep fewer images of each class"));
}

void ClassSample::Release(int64_t number) {
  const auto found = images_.find(number);
  assert(found != images_.end());
  if (--found->second.keepers > 0) return;
  bytes_ -= BytesOf(found->second.features);
  images_.erase(found);
}

SampledImages ClassSample::Take(
    int64_t min_of_class,
    std::vector<std::pair<int64_t, int64_t>>& left_out) const {
  SampledImages sample;
  std::map<int64_t, int64_t> column_of;  // by class
  std::map<int64_t, double> chance_of;   // by image's number
  for (const auto& [of_class, kept] : by_class_) {
    const auto count = static_cast<int64_t>(kept.size());
    if (count < min_of_class) {
      left_out.emplace_back(of_class, count);
      continue;
    }
    column_of[of_class] = static_cast<int64_t>(sample.classes.size());
    sample.classes.push_back(of_class);
    for (const Entry& entry : kept) {
      chance_of[entry.second] += 1.0 / static_cast<double>(count);
    }
  }
  if (sample.classes.empty()) return sample;
  const auto images = static_cast<int64_t>(chance_of.size());
  const auto classes = static_cast<int64_t>(sample.classes.size());
  const auto width = static_cast<int64_t>(
      images_.at(chance_of.begin()->first).features.size());
  sample.features = at::empty({images, width}, at::kFloat);
  sample.labels = at::zeros({images, classes}, at::kChar);
  sample.chances = at::empty({images}, at::kDouble);
  auto* features = sample.features.data_ptr<float>();
  auto* labels = sample.labels.data_ptr<int8_t>();
  auto* chances = sample.chances.data_ptr<double>();
  for (const auto& [number, chance] : chance_of) {
    const Image& image = images_.at(number);
    assert(static_cast<int64_t>(image.features.size()) == width);
    features =
        std::copy(image.features.begin(), image.features.end(), features);
    const auto mark = [&](const std::vector<int64_t>& of, int8_t value) {
      for (const int64_t of_class : of) {
        const auto column = column_of.find(of_class);
        if (column != column_of.end()) labels[column->second] = value;
      }
    };
    mark(image.classes.present, 1);
    mark(image.classes.uncertain, -1);
    labels += classes;
    *chances++ = chance / static_cast<double>(classes);
  }
  return sample;
}

}  // namespace saliency
