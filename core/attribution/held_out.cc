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

enum class Side { kOpen, kLearn, kHeldOut };

// Splits what is open of one class's pictures.
void SplitClass(const std::vector<int64_t>& pictures, int64_t of_class,
                double share, uint64_t seed, std::vector<Side>& sides) {
  const auto count = static_cast<int64_t>(pictures.size());
  const int64_t wanted =
      std::clamp<int64_t>(std::llround(share * static_cast<double>(count)), 1,
                          std::max<int64_t>(count - 1, 1));
  int64_t missing = wanted;
  std::vector<std::pair<uint64_t, int64_t>> open;  // key, picture
  for (const int64_t picture : pictures) {
    if (sides[picture] == Side::kHeldOut) --missing;
    if (sides[picture] != Side::kOpen) continue;
    open.emplace_back(RandomKey(seed, static_cast<uint64_t>(of_class),
                                static_cast<uint64_t>(picture)),
                      picture);
  }
  std::sort(open.begin(), open.end());
  for (const auto& [key, picture] : open) {
    sides[picture] = missing-- > 0 ? Side::kHeldOut : Side::kLearn;
  }
}

}  // namespace

at::Tensor ChooseHeldOut(const at::Tensor& labels, double share,
                         uint64_t seed) {
  assert(labels.dim() == 2 && share > 0 && share < 1);
  const int64_t classes = labels.size(1);
  const at::Tensor table = labels.contiguous();
  const auto* value = table.data_ptr<int8_t>();
  std::vector<std::vector<int64_t>> pictures_of(classes);
  for (int64_t picture = 0; picture < labels.size(0); ++picture) {
    for (int64_t c = 0; c < classes; ++c) {
      if (*value++ == 1) pictures_of[c].push_back(picture);
    }
  }
  std::vector<int64_t> rarest_first(classes);
  std::iota(rarest_first.begin(), rarest_first.end(), 0);
  std::stable_sort(rarest_first.begin(), rarest_first.end(),
                   [&](int64_t a, int64_t b) {
                     return pictures_of[a].size() < pictures_of[b].size();
                   });
  std::vector<Side> sides(labels.size(0), Side::kOpen);
  for (const int64_t c : rarest_first) {
    SplitClass(pictures_of[c], c, share, seed, sides);
  }
  at::Tensor held_out = at::zeros({labels.size(0)}, at::kBool);
  auto* out = held_out.data_ptr<bool>();
  for (const Side side : sides) *out++ = side == Side::kHeldOut;
  return held_out;
}

}  // namespace saliency
