#include "core/attribution/held_out.h"

#include <torch/script.h>

#include "gtest/gtest.h"

namespace saliency::held_out_test {
namespace {

// `of_each` images of each class, one class an image.
at::Tensor OneClassEach(const std::vector<int64_t>& of_each) {
  std::vector<at::Tensor> parts;
  const auto classes = static_cast<int64_t>(of_each.size());
  for (int64_t c = 0; c < classes; ++c) {
    at::Tensor part = at::zeros({of_each[c], classes}, at::kChar);
    part.select(1, c).fill_(1);
    parts.push_back(part);
  }
  return at::cat(parts);
}

std::vector<int64_t> HeldOutOfEach(const at::Tensor& labels,
                                   const at::Tensor& held_out) {
  const at::Tensor counts =
      labels.eq(1).logical_and(held_out.unsqueeze(1)).sum(0);
  return {counts.data_ptr<int64_t>(),
          counts.data_ptr<int64_t>() + counts.numel()};
}

TEST(HeldOutTest, OfEachClassTheShareButNeitherNoneNorAll) {
  const at::Tensor labels = OneClassEach({10, 2, 101, 3});
  EXPECT_EQ(HeldOutOfEach(labels, ChooseHeldOut(labels, 0.3, 1)),
            std::vector<int64_t>({3, 1, 30, 1}));
  EXPECT_EQ(HeldOutOfEach(labels, ChooseHeldOut(labels, 0.99, 1)),
            std::vector<int64_t>({9, 1, 100, 2}));
  EXPECT_EQ(HeldOutOfEach(labels, ChooseHeldOut(labels, 0.01, 1)),
            std::vector<int64_t>({1, 1, 1, 1}));
}

TEST(HeldOutTest, TheSeedChoosesWhich) {
  const at::Tensor labels = OneClassEach({30, 30});
  EXPECT_TRUE(
      ChooseHeldOut(labels, 0.5, 1).equal(ChooseHeldOut(labels, 0.5, 1)));
  EXPECT_FALSE(
      ChooseHeldOut(labels, 0.5, 1).equal(ChooseHeldOut(labels, 0.5, 2)));
}

// Twenty classes, a few in each image, some ten times as frequent as others.
TEST(HeldOutTest, OfImagesOfSeveralClassesEachClassGetsAboutItsShare) {
  torch::manual_seed(1);
  const at::Tensor frequency = at::linspace(0.03, 0.3, 20);
  const at::Tensor labels = at::rand({600, 20}).lt(frequency).to(at::kChar);
  const std::vector<int64_t> held =
      HeldOutOfEach(labels, ChooseHeldOut(labels, 0.3, 5));
  for (int64_t c = 0; c < 20; ++c) {
    const auto count = labels.select(1, c).sum().item<double>();
    EXPECT_NEAR(static_cast<double>(held[c]) / count, 0.3, 0.06) << c;
  }
}

TEST(HeldOutTest, UncertainLabelsCountForNothing) {
  at::Tensor labels = OneClassEach({4, 4});
  labels.narrow(0, 0, 4).select(1, 1).fill_(-1);
  EXPECT_EQ(HeldOutOfEach(labels, ChooseHeldOut(labels, 0.5, 1)),
            std::vector<int64_t>({2, 2}));
}

}  // namespace
}  // namespace saliency::held_out_test
