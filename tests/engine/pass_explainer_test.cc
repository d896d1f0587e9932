// How many rows a pass takes at once.

#include "core/engine/run/pass_explainer.h"

#include <ATen/ATen.h>

#include "core/attribution/attribution.h"
#include "gtest/gtest.h"
#include "tests/engine/tiny_resnet.h"
#include "tests/support/cpu_memory.h"

namespace saliency::pass_explainer_test {
namespace {

class PassExplainerTest : public testing::Test {
 protected:
  // What a request of eight images, `scale` times as high and wide as those
  // that the model was measured at, holds at most beyond what it leaves.
  int64_t PeakOf(int64_t scale) {
    PassItem item = {
        .input = at::ones({8, 3, scale * kTinyHeight, scale * kTinyWidth}),
        .targets = {ClassIndex{1}},
        .variants = {
            {.attributions = {{.attribution = *Attribution::Named("norm_grad"),
                               .layer = "layer1"}}}}};
    const PassItem* const items[] = {&item};
    PassExplainer explainer(*model_->replicas[0], {.max_rows = 8});
    CpuMemory& memory = CpuMemory::Watch();
    const int64_t before = memory.bytes();
    memory.ResetPeak();
    const auto answers = explainer.Explain(items);
    EXPECT_TRUE(answers.ok()) << answers.status();
    for (const auto& map : answers->items[0].variants[0].maps)
      EXPECT_TRUE(map.ok());
    return memory.peak_bytes() - before;
  }

  const std::shared_ptr<LoadedModel> model_ = LoadTinyResnet();
};

TEST_F(PassExplainerTest, LargerImagesGoFewerAtOnceInTheSameMemory) {
  PeakOf(1);  // what is kept from the first use on
  const auto small = static_cast<double>(PeakOf(1));
  PeakOf(2);
  EXPECT_LT(static_cast<double>(PeakOf(2)), 1.5 * small);
  // An image that takes the place of more than the limit goes alone.
  EXPECT_LT(static_cast<double>(PeakOf(4)), 4 * small);
}

}  // namespace
}  // namespace saliency::pass_explainer_test
