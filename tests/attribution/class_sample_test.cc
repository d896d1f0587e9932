#include "core/attribution/class_sample.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace saliency::class_sample_test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

using LeftOut = std::vector<std::pair<int64_t, int64_t>>;

// An image's features tell its number.
std::vector<float> FeaturesOf(int64_t number) {
  return {static_cast<float>(number), 1};
}

absl::Status Add(ClassSample& sample, int64_t number,
                 std::vector<int64_t> present,
                 std::vector<int64_t> uncertain = {}) {
  return sample.Add(
      number,
      {.present = std::move(present), .uncertain = std::move(uncertain)},
      FeaturesOf(number));
}

std::vector<int64_t> NumbersOf(const SampledImages& images) {
  std::vector<int64_t> numbers;
  for (int64_t i = 0; i < images.features.size(0); ++i) {
    numbers.push_back(images.features[i][0].item<int64_t>());
  }
  return numbers;
}

SampledImages Take(const ClassSample& sample) {
  LeftOut left_out;
  return sample.Take(1, left_out);
}

TEST(ClassSampleTest, KeepsAllWhereThereAreFew) {
  ClassSample sample({.per_class = 10});
  ASSERT_TRUE(Add(sample, 0, {7}).ok());
  ASSERT_TRUE(Add(sample, 1, {2, 7}, {9, 4}).ok());
  ASSERT_TRUE(Add(sample, 2, {4}).ok());
  const SampledImages images = Take(sample);
  EXPECT_THAT(images.classes, ElementsAre(2, 4, 7));
  EXPECT_THAT(NumbersOf(images), ElementsAre(0, 1, 2));
  const at::Tensor labels = at::tensor({0, 0, 1, 1, -1, 1, 0, 1, 0}, at::kChar);
  EXPECT_TRUE(images.labels.equal(labels.view({3, 3}))) << images.labels;
}

// Class 1 has ten times the images of class 0.
TEST(ClassSampleTest, EveryClassGetsTheSameChance) {
  ClassSample sample({.per_class = 20, .seed = 3});
  for (int64_t i = 0; i < 330; ++i) {
    ASSERT_TRUE(Add(sample, i, {i % 11 == 0 ? 0 : 1}).ok());
  }
  const SampledImages images = Take(sample);
  EXPECT_EQ(images.labels.sum(0)[0].item<int64_t>(), 20);
  EXPECT_EQ(images.labels.sum(0)[1].item<int64_t>(), 20);
  EXPECT_NEAR(images.chances.sum().item<double>(), 1, 1e-12);
  EXPECT_NEAR(images.chances.max().item<double>(), 1.0 / 40, 1e-12);
}

TEST(ClassSampleTest, AnImageOfTwoClassesCountsForBoth) {
  ClassSample sample({.per_class = 10});
  for (int64_t i = 0; i < 4; ++i) ASSERT_TRUE(Add(sample, i, {0}).ok());
  ASSERT_TRUE(Add(sample, 4, {0, 1}).ok());
  const SampledImages images = Take(sample);
  // Class 0 is drawn with 1/2, then one of five; class 1 has one alone.
  EXPECT_NEAR(images.chances[0].item<double>(), 0.5 / 5, 1e-12);
  EXPECT_NEAR(images.chances[4].item<double>(), 0.5 / 5 + 0.5, 1e-12);
}

// Each of 40 images is among 10 kept ones with chance 1/4.
TEST(ClassSampleTest, EachImageOfAClassHasTheSameChance) {
  constexpr int kTrials = 4000;
  std::vector<int> kept(40);
  for (uint64_t seed = 0; seed < kTrials; ++seed) {
    ClassSample sample({.per_class = 10, .seed = seed});
    for (int64_t i = 0; i < 40; ++i) ASSERT_TRUE(Add(sample, i, {5}).ok());
    for (const int64_t number : NumbersOf(Take(sample))) ++kept[number];
  }
  for (const int count : kept) {
    EXPECT_NEAR(count, kTrials / 4, 137) << "five standard deviations";
  }
}

TEST(ClassSampleTest, TheOrderOfArrivalDoesNotMatterAndTheSeedDoes) {
  const auto numbers = [](uint64_t seed, uint64_t shuffle) {
    std::vector<int64_t> order(300);
    std::iota(order.begin(), order.end(), 0);
    std::mt19937_64 random(shuffle);
    std::shuffle(order.begin(), order.end(), random);
    ClassSample sample({.per_class = 12, .seed = seed});
    for (const int64_t i : order) {
      const std::vector<int64_t> present =
          i % 3 == 0 ? std::vector<int64_t>{0, 1} : std::vector<int64_t>{i % 5};
      EXPECT_TRUE(Add(sample, i, present).ok());
    }
    return NumbersOf(Take(sample));
  };
  EXPECT_EQ(numbers(1, 1), numbers(1, 2));
  EXPECT_NE(numbers(1, 1), numbers(2, 1));
}

TEST(ClassSampleTest, WhatIsNotWantedIsNeverKept) {
  ClassSample all({.per_class = 8, .seed = 4});
  ClassSample asked({.per_class = 8, .seed = 4});
  int added = 0;
  for (int64_t i = 0; i < 1000; ++i) {
    const std::vector<int64_t> present = {i % 2, 2};
    ASSERT_TRUE(Add(all, i, present).ok());
    if (!asked.Wants(i, present)) continue;
    ++added;
    ASSERT_TRUE(Add(asked, i, present).ok());
  }
  EXPECT_EQ(NumbersOf(Take(all)), NumbersOf(Take(asked)));
  // 8 (1 + ln(500 / 8)) of classes 0 and 1 each, 8 (1 + ln(1000 / 8)) of 2.
  EXPECT_LT(added, 200);
}

TEST(ClassSampleTest, MemoryIsBoundedByWhatIsKept) {
  ClassSample sample({.per_class = 5});
  for (int64_t i = 0; i < 2000; ++i) {
    ASSERT_TRUE(Add(sample, i, {i % 3, 3 + i % 2}).ok());
    ASSERT_LE(sample.kept(), 5 * 5);
    ASSERT_EQ(sample.bytes(),
              sample.kept() * 2 * static_cast<int64_t>(sizeof(float)));
  }
}

TEST(ClassSampleTest, MoreThanTheBytesAllowIsRefused) {
  ClassSample sample({.per_class = 100, .max_bytes = 24});
  for (int64_t i = 0; i < 3; ++i) ASSERT_TRUE(Add(sample, i, {0}).ok());
  EXPECT_EQ(Add(sample, 3, {1}),
            absl::ResourceExhaustedError(
                "the features of 4 images have 32 bytes, of at most 24: keep "
                "fewer images of each class"));
}

TEST(ClassSampleTest, WhatTakesAnothersPlaceNeedsNoMoreBytes) {
  ClassSample sample({.per_class = 3, .max_bytes = 24});
  for (int64_t i = 0; i < 500; ++i) ASSERT_TRUE(Add(sample, i, {0}).ok());
  EXPECT_EQ(sample.kept(), 3);
}

TEST(ClassSampleTest, RareClassesAreLeftOutAndTold) {
  ClassSample sample({.per_class = 10});
  ASSERT_TRUE(Add(sample, 0, {3}).ok());
  ASSERT_TRUE(Add(sample, 1, {3}).ok());
  ASSERT_TRUE(Add(sample, 2, {8}).ok());
  ASSERT_TRUE(Add(sample, 3, {3, 6}).ok());
  LeftOut left_out;
  const SampledImages images = sample.Take(2, left_out);
  EXPECT_THAT(images.classes, ElementsAre(3));
  EXPECT_THAT(NumbersOf(images), ElementsAre(0, 1, 3));
  EXPECT_THAT(left_out, ElementsAre(Pair(6, 1), Pair(8, 1)));
  left_out.clear();
  EXPECT_THAT(sample.Take(4, left_out).classes, IsEmpty());
  EXPECT_EQ(left_out.size(), 3);
}

}  // namespace
}  // namespace saliency::class_sample_test
