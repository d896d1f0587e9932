// The number that is differentiated, against its closed form.

#include "core/model/scores.h"

#include <torch/script.h>

#include <cmath>

#include "gmock/gmock.h"
#include "tests/model/model_fixture.h"
#include "tests/support/tensor_close.h"

namespace saliency::scores_test {
namespace {

using testing::ElementsAre;

constexpr Score kScores[] = {Score::kLogit, Score::kSoftmax, Score::kLogSoftmax,
                             Score::kSigmoid, Score::kLogSigmoid};

// The score of one class of float64 logits [C], and its derivative by logit:
// written out, p being the softmax and s the sigmoid.
struct ClosedForm {
  double score;
  std::vector<double> derivative;
};

ClosedForm Expected(Score kind, const std::vector<double>& z, int64_t c) {
  double total = 0;
  for (const double value : z) total += std::exp(value);
  const double p = std::exp(z[c]) / total;
  const double s = 1 / (1 + std::exp(-z[c]));
  ClosedForm form = {0, std::vector<double>(z.size(), 0.0)};
  switch (kind) {
    case Score::kLogit:
    case Score::kScalarOutput:
      form = {z[c], form.derivative};
      form.derivative[c] = 1;
      break;
    case Score::kSoftmax:
    case Score::kLogSoftmax:
      form.score = kind == Score::kSoftmax ? p : std::log(p);
      for (size_t j = 0; j < z.size(); ++j) {
        const double own = static_cast<int64_t>(j) == c ? 1 : 0;
        form.derivative[j] = own - std::exp(z[j]) / total;
        if (kind == Score::kSoftmax) form.derivative[j] *= p;
      }
      break;
    case Score::kSigmoid:
      form.score = s;
      form.derivative[c] = s * (1 - s);
      break;
    case Score::kLogSigmoid:
      form.score = std::log(s);
      form.derivative[c] = 1 - s;
      break;
  }
  return form;
}

class ScoresTest : public ModelTest {};
SALIENCY_INSTANTIATE_DEVICES(ScoresTest);

TEST_P(ScoresTest, EveryKindIsItsClosedFormAndSoIsItsGradient) {
  for (int seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    torch::manual_seed(seed);
    const at::Tensor logits = Leaf(at::randn({5, 7}) * 3);
    const std::vector<int64_t> classes = {seed % 7, 6, 0, 3, 3};
    const at::Tensor scores = RowScores(logits, classes, kScores);
    const at::Tensor gradient = Gradients(scores.sum(), {logits})[0].cpu();
    for (int64_t row = 0; row < 5; ++row) {
      const at::Tensor z = logits[row].detach().cpu().to(at::kDouble);
      const ClosedForm want = Expected(
          kScores[row],
          std::vector<double>(z.data_ptr<double>(), z.data_ptr<double>() + 7),
          classes[row]);
      EXPECT_NEAR(scores[row].item<double>(), want.score, 1e-5);
      EXPECT_TRUE(RowsClose(
          gradient[row].unsqueeze(0),
          at::tensor(want.derivative, at::kDouble).view({1, 7}), 1e-5))
          << row;
    }
  }
}

TEST_P(ScoresTest, OneKindForAllRowsIsAsEachRowAlone) {
  const at::Tensor logits = at::randn({4, 6}).to(device());
  const std::vector<int64_t> classes = {5, 0, 2, 2};
  for (const Score kind : kScores) {
    const at::Tensor all =
        RowScores(logits, classes, std::vector<Score>(4, kind));
    for (int64_t row = 0; row < 4; ++row) {
      const at::Tensor alone =
          RowScores(logits.slice(0, row, row + 1), {classes[row]}, {kind});
      EXPECT_FLOAT_EQ(all[row].item<float>(), alone[0].item<float>());
    }
  }
}

TEST_P(ScoresTest, ExtremeLogitsGiveFiniteScoresAndGradients) {
  const at::Tensor logits = Leaf(at::tensor({1e4F, -1e4F}).repeat({5, 1}));
  const at::Tensor scores = RowScores(logits, {1, 1, 1, 1, 1}, kScores);
  EXPECT_TRUE(at::isfinite(scores).all().item<bool>());
  EXPECT_TRUE(
      at::isfinite(Gradients(scores.sum(), {logits})[0]).all().item<bool>());
}

// The same through a whole model: kinds mixed in one batch.
TEST_P(ScoresTest, KindsMixInOneBatchOfAModel) {
  const TinyModule net = ResidualNet();
  const auto model = Load(net);
  const at::Tensor images = Images(5);
  const LayerValues v = ResidualValues(net, Leaf(images));
  ProbeRequest request = EachImage(images, 5, {"tail"});
  for (int64_t p = 0; p < 5; ++p) request.rows[p].score = kScores[p];
  const ProbeResult result = model->Run(request).value();
  const at::Tensor scores = RowScores(v.at("logits"), {0, 1, 2, 3, 4}, kScores);
  EXPECT_TRUE(RowsClose(result.records[0].gradient,
                        Gradients(scores.sum(), {v.at("tail")})[0],
                        kSameOperators));
  for (int64_t p = 0; p < 5; ++p) {
    EXPECT_EQ(result.class_index[p], p);
    EXPECT_NEAR(result.score[p], scores[p].item<float>(), 1e-6);
  }
}

TEST_P(ScoresTest, SpatialMapIsPooledToItsSoftmaxWeightedSum) {
  const at::Tensor map = Leaf(at::randn({2, 3, 4, 5}) * 5);
  const at::Tensor pooled = PoolLogits(map).value();
  const at::Tensor gradient = Gradients(pooled.sum(), {map})[0];
  const at::Tensor z = map.detach().cpu().to(at::kDouble).flatten(2);
  const at::Tensor weight = z.exp() / z.exp().sum(2, /*keepdim=*/true);
  EXPECT_TRUE(RowsClose(pooled, (weight * z).sum(2), 1e-6));
  // The weights depend on the logits too: p (1 + z - s).
  const at::Tensor score = (weight * z).sum(2, /*keepdim=*/true);
  EXPECT_TRUE(RowsClose(gradient.flatten(2), weight * (1 + z - score), 1e-5));
}

int64_t Resolve(const ClassTarget& target, const std::vector<float>& logits) {
  return ResolveTarget(target, at::tensor(logits)).value();
}

TEST(ResolveTargetTest, RanksCountFromBothEndsAndTiesGoToTheLowestIndex) {
  const std::vector<float> logits = {2, 5, -1, 5, 2, -1};
  std::vector<int64_t> top, bottom;
  for (int64_t rank = 0; rank < 6; ++rank) {
    top.push_back(Resolve(RankFromTop{rank}, logits));
    bottom.push_back(Resolve(RankFromBottom{rank}, logits));
  }
  EXPECT_THAT(top, ElementsAre(1, 3, 0, 4, 2, 5));
  EXPECT_THAT(bottom, ElementsAre(2, 5, 0, 4, 1, 3));
  EXPECT_EQ(Resolve(RankFromTop{}, {3, 3, 3}), 0);
  EXPECT_EQ(Resolve(RankFromBottom{}, {3, 3, 3}), 0);
}

TEST(ResolveTargetTest, IndexIsItselfAndOneClassIsEnough) {
  for (int64_t index = 0; index < 3; ++index) {
    EXPECT_EQ(Resolve(ClassIndex{index}, {1, 2, 3}), index);
  }
  EXPECT_EQ(Resolve(RankFromTop{0}, {-7}), 0);
  EXPECT_EQ(Resolve(RankFromBottom{0}, {-7}), 0);
}

TEST(ResolveTargetTest, InfinitiesAreOrderedAndNaNsDoNotHang) {
  EXPECT_EQ(Resolve(RankFromTop{0}, {1, INFINITY, -INFINITY}), 1);
  EXPECT_EQ(Resolve(RankFromBottom{0}, {1, INFINITY, -INFINITY}), 2);
  EXPECT_EQ(Resolve(RankFromTop{0}, {NAN, 1, NAN}), 1);
}

TEST(ResolveTargetTest, OutOfRangeNamesTheValueAndTheLimit) {
  const auto message = [](const ClassTarget& target) {
    const absl::Status status = ResolveTarget(target, at::zeros({10})).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_EQ(message(ClassIndex{10}), "class_index 10 not in [0, 10)");
  EXPECT_EQ(message(ClassIndex{-1}), "class_index -1 not in [0, 10)");
  EXPECT_EQ(message(RankFromTop{10}), "rank 10 not in [0, 10)");
  EXPECT_EQ(message(RankFromBottom{-2}), "rank -2 not in [0, 10)");
}

TEST_P(ScoresTest, RanksOfABatchAreResolvedInTheSameRun) {
  const auto model = Load(ResidualNet());
  const at::Tensor images = Images(2);
  ProbeRequest request;
  request.input = images;
  for (int64_t p = 0; p < 2; ++p) {
    request.rows.push_back({p, RankFromTop{0}});
    request.rows.push_back({p, RankFromTop{1}});
    request.rows.push_back({p, RankFromBottom{0}});
  }
  for (int run = 0; run < 3; ++run) {
    const ProbeResult result = model->Run(request).value();
    for (int64_t p = 0; p < 2; ++p) {
      const at::Tensor order =
          result.logits[p].argsort(/*dim=*/0, /*descending=*/true);
      const auto at_rank = [&](int64_t r) { return order[r].item<int64_t>(); };
      EXPECT_EQ(result.class_index[3 * p], at_rank(0));
      EXPECT_EQ(result.class_index[3 * p + 1], at_rank(1));
      EXPECT_EQ(result.class_index[3 * p + 2], at_rank(4));
      EXPECT_EQ(result.score[3 * p],
                result.logits[p][at_rank(0)].item<float>());
    }
  }
}

TEST_P(ScoresTest, TargetOutOfRangeFailsTheRunWithValueAndLimit) {
  const auto model = Load(ResidualNet());
  ProbeRequest request = EachImage(Images(2), 5, {"tail"});
  request.rows[1].target = ClassIndex{1003};
  const absl::Status status = model->Run(request).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::string(status.message()), "class_index 1003 not in [0, 5)");
}

}  // namespace
}  // namespace saliency::scores_test
