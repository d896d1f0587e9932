#include "core/engine/run/row_slice.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <variant>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fakes.h"

namespace saliency::row_slice_test {
namespace {

using testing::ElementsAre;

// All slices of an item, as {first image, images, first target, targets}.
std::vector<std::vector<int64_t>> Slices(int64_t images, int64_t targets,
                                         int64_t max_rows) {
  std::vector<std::vector<int64_t>> slices;
  for (int64_t done = 0; done < images * targets;) {
    const RowSlice slice = SliceAt(done, images, targets, max_rows);
    slices.push_back(
        {slice.first_image, slice.images, slice.first_target, slice.targets});
    EXPECT_GE(slice.rows(), 1);
    EXPECT_LE(slice.rows(), max_rows);
    done += slice.rows();
  }
  return slices;
}

using One = std::vector<int64_t>;

TEST(RowSliceTest, WhatFitsIsOneSlice) {
  EXPECT_THAT(Slices(3, 4, 12), ElementsAre(One{0, 3, 0, 4}));
}

TEST(RowSliceTest, WholeImagesWhileTheirTargetsFit) {
  EXPECT_THAT(Slices(5, 3, 7),
              ElementsAre(One{0, 2, 0, 3}, One{2, 2, 0, 3}, One{4, 1, 0, 3}));
}

TEST(RowSliceTest, ElsePartsOfAnImagesTargets) {
  EXPECT_THAT(Slices(2, 5, 2),
              ElementsAre(One{0, 1, 0, 2}, One{0, 1, 2, 2}, One{0, 1, 4, 1},
                          One{1, 1, 0, 2}, One{1, 1, 2, 2}, One{1, 1, 4, 1}));
}

// Three images of id 1, 2 and 3, which tell of themselves in what is
// explained.
PassItem Item(int targets) {
  PassItem item = {.input = at::empty({3, 3, 8, 8})};
  for (int p = 0; p < 3; ++p) item.input[p].fill_(p + 1);
  for (int t = 0; t < targets; ++t) item.targets.push_back(ClassIndex{t});
  for (const char* layer : {"conv", "last"}) {
    item.variants.front().attributions.push_back(
        {.attribution = *Attribution::Named("norm_grad"), .layer = layer});
  }
  // The second wants only one of the maps.
  item.variants.push_back(
      {.attributions = {item.variants.front().attributions.front()}});
  item.variants.front().meta = MetaStep();
  item.pooled_layers = {"conv"};
  return item;
}

// An answer in which every value says where it belongs.
PassAnswer AnswerOf(const PassItem& item) {
  PassAnswer answer;
  const int64_t images = item.input.size(0);
  const auto image_id = [&](int64_t p) {
    return item.input[p][0][0][0].item<float>();
  };
  answer.logits = at::empty({images, 4});
  answer.variants.resize(2);
  answer.variants[0].stepped_logits = at::empty({item.rows(), 4});
  for (int64_t p = 0; p < images; ++p) {
    answer.logits[p].fill_(image_id(p));
    for (std::size_t t = 0; t < item.targets.size(); ++t) {
      const int64_t target = std::get<ClassIndex>(item.targets[t]).index;
      const float id = image_id(p) * 100 + static_cast<float>(target);
      const auto row = p * static_cast<int64_t>(item.targets.size()) +
                       static_cast<int64_t>(t);
      answer.variants[0].stepped_logits[row].fill_(id);
      answer.class_index.push_back(target);
      for (int v = 0; v < 2; ++v) {
        VariantAnswer& made = answer.variants[v];
        made.score.push_back(id + 0.5F * static_cast<float>(v));
        for (std::size_t a = 0; a < item.variants[v].attributions.size(); ++a) {
          made.maps.push_back(at::full({1, 1}, id + 10'000 * a + 0.5 * v));
        }
      }
    }
    for (std::size_t l = 0; l < item.pooled_layers.size(); ++l) {
      answer.pooled.push_back(at::full({1}, image_id(p)));
    }
  }
  return answer;
}

std::vector<float> Numbers(
    const std::vector<absl::StatusOr<at::Tensor>>& maps) {
  std::vector<float> numbers;
  for (const auto& map : maps) numbers.push_back(map->item<float>());
  return numbers;
}

TEST(RowSliceTest, SlicesComeTogetherAsTheWholeInAnyOrder) {
  for (const int targets : {1, 2, 5}) {
    for (const int64_t max_rows : {1, 2, 4, 7, 100}) {
      for (const bool backwards : {false, true}) {
        SCOPED_TRACE(testing::Message() << targets << " targets, " << max_rows
                                        << " rows, backwards " << backwards);
        const PassItem item = Item(targets);
        std::vector<RowSlice> slices;
        for (int64_t done = 0; done < item.rows();) {
          slices.push_back(SliceAt(done, 3, targets, max_rows));
          done += slices.back().rows();
        }
        if (backwards) std::reverse(slices.begin(), slices.end());
        PassAnswer whole;
        for (const RowSlice& slice : slices) {
          const PassItem part = ItemOf(item, slice);
          EXPECT_EQ(part.rows(), slice.rows());
          StoreSlice(AnswerOf(part), item, slice, whole);
        }
        const PassAnswer expected = AnswerOf(item);
        EXPECT_TRUE(at::equal(whole.logits, expected.logits));
        EXPECT_EQ(whole.class_index, expected.class_index);
        EXPECT_TRUE(at::equal(whole.variants[0].stepped_logits,
                              expected.variants[0].stepped_logits));
        for (int v = 0; v < 2; ++v) {
          EXPECT_EQ(whole.variants[v].score, expected.variants[v].score);
          EXPECT_EQ(Numbers(whole.variants[v].maps),
                    Numbers(expected.variants[v].maps));
        }
        ASSERT_EQ(whole.pooled.size(), 3);
        for (int p = 0; p < 3; ++p) {
          EXPECT_TRUE(at::equal(whole.pooled[p], expected.pooled[p]));
        }
      }
    }
  }
}

TEST(RowSliceTest, SlicesOfSamplesCoverEachSampleOfEachImageOnce) {
  const std::vector<int64_t> samples = {0, 7, 1};
  for (const int64_t images : {1, 3}) {
    for (const int64_t targets : {1, 5}) {
      for (const int64_t max_rows : {1, 4, 16}) {
        SCOPED_TRACE(testing::Message() << images << " images, " << targets
                                        << " targets, " << max_rows << " rows");
        std::map<std::tuple<int, int64_t, int64_t>, int> seen;
        for (int64_t done = 0; done < images * targets * 8;) {
          const RowSlice slice =
              SampleSliceAt(done, images, targets, samples, max_rows);
          EXPECT_LE(slice.rows(), std::max(max_rows, targets));
          EXPECT_EQ(slice.targets, targets);
          EXPECT_EQ(slice.images, 1);
          for (int64_t s = 0; s < slice.samples; ++s) {
            ++seen[{slice.variant, slice.first_image, slice.first_sample + s}];
          }
          done += slice.rows();
        }
        EXPECT_EQ(seen.size(), images * 8);
        for (const auto& [sample, times] : seen) EXPECT_EQ(times, 1);
      }
    }
  }
}

}  // namespace
}  // namespace saliency::row_slice_test
