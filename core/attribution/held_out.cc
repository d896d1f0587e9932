#include "core/attribution/held_out.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include "core/attribution/random_key.h"

namespace saliency {
namespace {

enum class Assigned { kOpen, kLearn, kHeldOut };

// Splits what is open of one class's images.
void SplitClass(const std::vector<int64_t>& images, int64_t of_class,
                double share, uint64_t seed, std::vector<Assigned>& sides) {
  const auto count = static_cast<int64_t>(images.size());
  const int64_t wanted =
      std::clamp<int64_t>(std::llround(share * static_cast<double>(count)), 1,
                          std::max<int64_t>(count - 1, 1));
  int64_t missing = wanted;
  std::vector<std::pair<uint64_t, int64_t>> open;  // key, image
  for (const int64_t image : images) {
    if (sides[image] == Assigned::kHeldOut) --missing;
    if (sides[image] != Assigned::kOpen) continue;
    open.emplace_back(RandomKey(seed, static_cast<uint64_t>(of_class),
                                static_cast<uint64_t>(image)),
                      image);
  }
  std::sort(open.begin(), open.end());
  for (const auto& [key, image] : open) {
    sides[image] = missing-- > 0 ? Assigned::kHeldOut : Assigned::kLearn;
  }
}

}  // namespace

at::Tensor ChooseHeldOut(const at::Tensor& labels, double share,
                         uint64_t seed) {
  assert(labels.dim() == 2 && share > 0 && share < 1);
  const int64_t classes = labels.size(1);
  const at::Tensor table = labels.contiguous();
  const auto* value = table.data_ptr<int8_t>();
  std::vector<std::vector<int64_t>> images_of(classes);
  for (int64_t image = 0; image < labels.size(0); ++image) {
    for (int64_t c = 0; c < classes; ++c) {
      if (*value++ == 1) images_of[c].push_back(image);
    }
  }
  std::vector<int64_t> rarest_first(classes);
  std::iota(rarest_first.begin(), rarest_first.end(), 0);
  std::stable_sort(rarest_first.begin(), rarest_first.end(),
                   [&](int64_t a, int64_t b) {
                     return images_of[a].size() < images_of[b].size();
                   });
  std::vector<Assigned> sides(labels.size(0), Assigned::kOpen);
  for (const int64_t c : rarest_first) {
    SplitClass(images_of[c], c, share, seed, sides);
  }
  at::Tensor held_out = at::zeros({labels.size(0)}, at::kBool);
  auto* out = held_out.data_ptr<bool>();
  for (const Assigned side : sides) *out++ = side == Assigned::kHeldOut;
  return held_out;
}

}  // namespace saliency
