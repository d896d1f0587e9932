// Score-CAM through an engine, held against a loop that masks the image by one
// channel after another.

#include "core/attribution/score_cam.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <variant>
#include <vector>

#include "core/engine/engine.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/sampled_jobs.h"
#include "tests/support/naive_oracle.h"
#include "tests/support/tensor_close.h"

namespace saliency::score_cam_test {
namespace {

using ::testing::HasSubstr;

class ScoreCamTest : public SampledJobsTest {
 protected:
  at::Tensor ActivationOf(const at::Tensor& image, const std::string& layer) {
    ProbeRequest request = {.input = image.contiguous()};
    request.rows = {{.image = 0, .target = ClassIndex{0}}};
    request.probes = {{.layer = layer}};
    request.activation_only = {true};
    return model_->replicas[0]->Run(request).value().records[0].activation[0];
  }

  // The oracle: channel after channel.
  at::Tensor OneByOne(const at::Tensor& image, const std::string& layer,
                      int64_t index) {
    const at::Tensor x = ActivationOf(image, layer);
    std::vector<double> scores;
    std::vector<int64_t> channels;
    double largest = -INFINITY;
    for (int64_t k = 0; k < x.size(0); ++k) {
      at::Tensor mask =
          oracle::Resize(x.narrow(0, k, 1), kTinyHeight, kTinyWidth);
      const double low = mask.min().item<double>();
      const double high = mask.max().item<double>();
      if (high == low) continue;
      mask = ((mask - low) / (high - low)).to(at::kFloat);
      scores.push_back(ScoreOf(*model_->replicas[0], image * mask, index));
      channels.push_back(k);
      largest = std::max(largest, scores.back());
    }
    double all = 0;
    for (const double score : scores) all += std::exp(score - largest);
    at::Tensor sum = at::zeros({x.size(1), x.size(2)}, at::kDouble);
    for (std::size_t i = 0; i < channels.size(); ++i) {
      sum +=
          std::exp(scores[i] - largest) / all * x[channels[i]].to(at::kDouble);
    }
    return sum.clamp_min(0).to(at::kFloat).unsqueeze(0);
  }
};

TEST_F(ScoreCamTest, IsTheSumOfChannelsBySoftmaxOfTheirMasksScores) {
  Job job = JobOf(14, {{.attribution = *Attribution::Named("Score-CAM"),
                        .layers = {"layer4", "layer2"}},
                       {.attribution = *Attribution::Named("grad_cam")}});
  job.targets = {ClassIndex{2}, ClassIndex{5}, ClassIndex{7}};
  for (const int64_t max_rows : {2, 7, 16}) {
    const Explanation answer = Explain(job, max_rows);
    ASSERT_EQ(answer.results.size(), 9);
    int compared = 0;
    for (const MapResult& result : answer.results) {
      if (result.method != "score_cam") continue;
      EXPECT_FALSE(result.is_signed);
      EXPECT_FALSE(result.constant);
      EXPECT_TRUE(
          RowsClose(MapOf(result),
                    OneByOne(ImageOf(14), result.layer, result.explained.index),
                    kRounding));
      ++compared;
    }
    EXPECT_EQ(compared, 6);
  }
}

TEST_F(ScoreCamTest, AnImageOfABatchHasTheMapThatItHasAlone) {
  const std::vector<JobAttribution> score_cam = {
      {.attribution = *Attribution::Named("score_cam"), .layers = {"layer3"}}};
  Job both = JobOf(21, score_cam);
  both.input = RandomTensor(21, 2);
  both.targets = {ClassIndex{1}, ClassIndex{4}};
  const Explanation together = Explain(both, 5);
  ASSERT_EQ(together.results.size(), 4);
  const auto& pair = std::get<TensorInput>(both.input);
  for (int64_t i = 0; i < 2; ++i) {
    Job alone = both;
    const std::size_t half = pair.data.size() / 2;
    alone.input = TensorInput{.shape = {1, 3, kTinyHeight, kTinyWidth},
                              .data = pair.data.substr(i * half, half)};
    const Explanation one = Explain(alone);
    for (int64_t t = 0; t < 2; ++t) {
      EXPECT_TRUE(RowsClose(MapOf(together.results[2 * i + t]),
                            MapOf(one.results[t]), kRounding));
    }
  }
}

TEST_F(ScoreCamTest, IsRefusedAfterAMetaStep) {
  Job job = JobOf(3, {{.attribution = *Attribution::Named("score_cam")},
                      {.attribution = *Attribution::Named("grad_cam")}});
  job.meta = JobMetaStep();
  const Explanation answer = Explain(job);
  ASSERT_EQ(answer.results.size(), 2);
  EXPECT_EQ(answer.results[0].status.code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(answer.results[0].status.message()),
              HasSubstr("not offered after a meta step"));
  EXPECT_TRUE(answer.results[1].status.ok());
}

TEST(ScoreCamMapTest, ConstantChannelsAreLeftOut) {
  const at::Tensor x = at::zeros({3, 2, 2});
  x[0][0][0].fill_(4);
  x[1].fill_(1000);  // would drown the others
  x[2][1][1].fill_(-2);
  const at::Tensor scores = at::tensor({0.5, 9.0, 0.5}, at::kDouble);
  const at::Tensor want = at::zeros({2, 2}, at::kDouble);
  want[0][0].fill_(2);
  EXPECT_TRUE(at::allclose(ScoreCamMap(x, scores), want));
  EXPECT_FALSE(
      ScoreCamMap(x.slice(0, 1, 2), scores.slice(0, 1, 2)).any().item<bool>());
}

}  // namespace
}  // namespace saliency::score_cam_test
