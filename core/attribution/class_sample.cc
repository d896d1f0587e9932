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

absl::Status ClassSample::Add(int64_t number, PictureClasses classes,
                              std::vector<float> features) {
  if (!Wants(number, classes.present)) return absl::OkStatus();
  bytes_ += BytesOf(features);
  Picture& picture = pictures_[number];
  picture.features = std::move(features);
  picture.classes = std::move(classes);
  for (const int64_t of_class : picture.classes.present) {
    const Entry entry = EntryOf(of_class, number);
    if (!WouldKeep(of_class, entry)) continue;
    std::set<Entry>& kept = by_class_[of_class];
    kept.insert(entry);
    ++picture.keepers;
    if (static_cast<int64_t>(kept.size()) <= options_.per_class) continue;
    const auto largest = std::prev(kept.end());
    Release(largest->second);
    kept.erase(largest);
  }
  if (bytes_ <= options_.max_bytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(
      "the features of ", kept(), " pictures have ", bytes_, " bytes, of at ",
      "most ", options_.max_bytes, ": keep fewer pictures of each class"));
}

void ClassSample::Release(int64_t number) {
  const auto found = pictures_.find(number);
  assert(found != pictures_.end());
  if (--found->second.keepers > 0) return;
  bytes_ -= BytesOf(found->second.features);
  pictures_.erase(found);
}

SampledPictures ClassSample::Take(
    int64_t min_of_class,
    std::vector<std::pair<int64_t, int64_t>>& left_out) const {
  SampledPictures sample;
  std::map<int64_t, int64_t> column_of;  // by class
  std::map<int64_t, double> chance_of;   // by picture's number
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
  const auto pictures = static_cast<int64_t>(chance_of.size());
  const auto classes = static_cast<int64_t>(sample.classes.size());
  const auto width = static_cast<int64_t>(
      pictures_.at(chance_of.begin()->first).features.size());
  sample.features = at::empty({pictures, width}, at::kFloat);
  sample.labels = at::zeros({pictures, classes}, at::kChar);
  sample.chances = at::empty({pictures}, at::kDouble);
  auto* features = sample.features.data_ptr<float>();
  auto* labels = sample.labels.data_ptr<int8_t>();
  auto* chances = sample.chances.data_ptr<double>();
  for (const auto& [number, chance] : chance_of) {
    const Picture& picture = pictures_.at(number);
    assert(static_cast<int64_t>(picture.features.size()) == width);
    features =
        std::copy(picture.features.begin(), picture.features.end(), features);
    const auto mark = [&](const std::vector<int64_t>& of, int8_t value) {
      for (const int64_t of_class : of) {
        const auto column = column_of.find(of_class);
        if (column != column_of.end()) labels[column->second] = value;
      }
    };
    mark(picture.classes.present, 1);
    mark(picture.classes.uncertain, -1);
    labels += classes;
    *chances++ = chance / static_cast<double>(classes);
  }
  return sample;
}

}  // namespace saliency
