#include "core/attribution/superpixels.h"

#include <ATen/ATen.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace saliency::superpixels_test {
namespace {

at::Tensor Noise(int64_t height, int64_t width, int seed) {
  at::manual_seed(seed);
  return at::rand({3, height, width});
}

// Whether pixels of `label` can be walked through, side by side.
bool IsOnePiece(const at::Tensor& labels, int64_t label) {
  const at::Tensor own = labels.eq(label);
  at::Tensor reached = at::zeros_like(own);
  const at::Tensor first = own.nonzero()[0];
  reached[first[0]][first[1]].fill_(true);
  while (true) {
    at::Tensor more = reached.clone();
    more.slice(0, 1).logical_or_(reached.slice(0, 0, -1));
    more.slice(0, 0, -1).logical_or_(reached.slice(0, 1));
    more.slice(1, 1).logical_or_(reached.slice(1, 0, -1));
    more.slice(1, 0, -1).logical_or_(reached.slice(1, 1));
    more.logical_and_(own);
    if (at::equal(more, reached)) return at::equal(own, reached);
    reached = more;
  }
}

TEST(SlicTest, SegmentsAreNumberedPiecesAndNoMoreThanAskedFor) {
  int seed = 0;
  for (const int64_t segments : {1, 2, 3, 7, 50, 256}) {
    for (const auto& [height, width] :
         {std::pair{40, 31}, std::pair{9, 64}, std::pair{1, 5}}) {
      for (const double compactness : {0.01, 10.0, 1000.0}) {
        const Superpixels pixels =
            Slic(Noise(height, width, ++seed),
                 {.segments = segments, .compactness = compactness});
        SCOPED_TRACE(seed);
        EXPECT_GE(pixels.count, 1);
        EXPECT_LE(pixels.count, segments);
        ASSERT_EQ(pixels.labels.sizes(), at::IntArrayRef({height, width}));
        int64_t next = 0;  // each number is met after those below it
        const at::Tensor flat = pixels.labels.flatten();
        for (int64_t i = 0; i < flat.numel(); ++i) {
          const auto label = flat[i].item<int64_t>();
          ASSERT_LE(label, next);
          if (label == next) ++next;
        }
        EXPECT_EQ(next, pixels.count);
        for (int64_t label = 0; label < pixels.count; ++label) {
          EXPECT_TRUE(IsOnePiece(pixels.labels, label)) << label;
        }
      }
    }
  }
}

TEST(SlicTest, AnImageWithoutColoursFallsIntoTheGrid) {
  const Superpixels pixels = Slic(at::full({3, 20, 30}, 0.5), {.segments = 6});
  ASSERT_EQ(pixels.count, 6);
  const at::Tensor rows = at::arange(20).div(10, "floor").unsqueeze(1);
  const at::Tensor columns = at::arange(30).div(10, "floor").unsqueeze(0);
  EXPECT_TRUE(at::equal(pixels.labels, rows * 3 + columns));
}

TEST(SlicTest, SegmentsEndWhereColoursDo) {
  // A tilted border between red and green, which no cell of the grid follows.
  at::Tensor image = at::zeros({3, 48, 48});
  const at::Tensor red =
      at::arange(48).unsqueeze(0) + at::arange(48).unsqueeze(1) / 3 < 30;
  image[0].copy_(red);
  image[1].copy_(red.logical_not());
  const Superpixels pixels = Slic(image, {.segments = 16});
  EXPECT_GE(pixels.count, 8);
  for (int64_t label = 0; label < pixels.count; ++label) {
    const at::Tensor colours = red.index({pixels.labels.eq(label)});
    EXPECT_EQ(colours.min().item<bool>(), colours.max().item<bool>()) << label;
  }
}

TEST(SlicTest, TheSameImageGivesTheSameSegments) {
  const at::Tensor image = Noise(64, 48, 3);
  const Superpixels once = Slic(image, {});
  const Superpixels again = Slic(image.clone(), {});
  EXPECT_TRUE(at::equal(once.labels, again.labels));
  EXPECT_FALSE(at::equal(once.labels, Slic(Noise(64, 48, 4), {}).labels));
}

}  // namespace
}  // namespace saliency::superpixels_test
