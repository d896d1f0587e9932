#include "core/attribution/layer_classifier.h"

#include <torch/script.h>

#include <algorithm>
#include <cmath>

#include "gtest/gtest.h"

namespace saliency::layer_classifier_test {
namespace {

struct Data {
  at::Tensor features;  // [M,K]
  at::Tensor labels;    // [M,C] int8
};

// Clusters whose centres lie `apart` standard deviations from one another.
Data Clusters(uint64_t seed, int64_t of_each, int64_t classes, double apart) {
  torch::manual_seed(seed);
  const int64_t width = 5;
  const at::Tensor centres = at::randn({classes, width}) * apart;
  const at::Tensor of_class = at::arange(classes).repeat({of_each});
  Data data;
  data.features =
      centres.index_select(0, of_class) + at::randn({of_class.size(0), width});
  // Neither centred nor of one scale, as features are.
  data.features = data.features * at::tensor({1.0, 20.0, 0.01, 3.0, 1.0}) +
                  at::tensor({0.0, 100.0, 5.0, -3.0, 0.5});
  data.features = data.features.to(at::kFloat);
  data.labels = of_class.unsqueeze(1).eq(at::arange(classes)).to(at::kChar);
  return data;
}

// Several classes in an image, told by the features with some noise; some
// labels are uncertain.
Data Scenes(uint64_t seed, int64_t images, int64_t classes, double noise) {
  torch::manual_seed(seed);
  const at::Tensor shows = at::rand({images, classes}).lt(0.3);
  const at::Tensor mixing = at::randn({classes, 8});
  Data data;
  data.features =
      (shows.to(at::kFloat).matmul(mixing) + at::randn({images, 8}) * noise)
          .to(at::kFloat);
  data.labels = shows.to(at::kChar);
  data.labels.masked_fill_(at::rand({images, classes}).lt(0.05), -1);
  return data;
}

// The header's definition, followed downhill in float64 with small steps.
LinearClassifier Descend(const Data& data, const ClassifierOptions& options) {
  const at::Tensor raw = data.features.to(at::kDouble);
  const at::Tensor mean = raw.mean(0);
  const at::Tensor deviation = raw.std(0, /*unbiased=*/false);
  const at::Tensor x = (raw - mean) / deviation;
  const at::Tensor there = data.labels.eq(1).to(at::kDouble);
  const at::Tensor absent = data.labels.eq(0).to(at::kDouble);
  const int64_t count = x.size(0);
  at::Tensor w = at::zeros({there.size(1), x.size(1)}, at::kDouble);
  at::Tensor b = at::zeros({there.size(1)}, at::kDouble);
  const double step = 1.0 / static_cast<double>(x.size(1) + 1);
  for (int i = 0; i < 6000; ++i) {
    const at::Tensor z = x.matmul(w.t()) + b;
    const at::Tensor slope =
        options.multi_label
            ? (z.sigmoid() - there) *
                  (there / there.sum(0) / 2 + absent / absent.sum(0) / 2)
            : (z.softmax(1) - there) / static_cast<double>(count);
    w = w - step * (slope.t().matmul(x) + options.l2_penalty * w);
    b = b - step * slope.sum(0);
  }
  return {.mean = mean.to(at::kFloat),
          .deviation = deviation.to(at::kFloat),
          .weight = w.to(at::kFloat),
          .bias = b.to(at::kFloat)};
}

// The share that is right, counted image by image.
double CountAccuracy(const LinearClassifier& classifier, const Data& data,
                     bool multi_label) {
  const at::Tensor scores = classifier.Scores(data.features);
  const auto z = scores.accessor<float, 2>();
  const auto y = data.labels.accessor<int8_t, 2>();
  double sum = 0;
  if (!multi_label) {
    for (int64_t i = 0; i < z.size(0); ++i) {
      int64_t best = 0;
      for (int64_t c = 1; c < z.size(1); ++c) {
        if (z[i][c] > z[i][best]) best = c;
      }
      sum += y[i][best];
    }
    return sum / static_cast<double>(z.size(0));
  }
  for (int64_t c = 0; c < z.size(1); ++c) {
    double with = 0;
    double without = 0;
    double found = 0;
    double spared = 0;
    for (int64_t i = 0; i < z.size(0); ++i) {
      with += y[i][c] == 1 ? 1 : 0;
      without += y[i][c] == 0 ? 1 : 0;
      found += y[i][c] == 1 && z[i][c] > 0 ? 1 : 0;
      spared += y[i][c] == 0 && !(z[i][c] > 0) ? 1 : 0;
    }
    sum += (found / with + spared / without) / 2;
  }
  return sum / static_cast<double>(z.size(1));
}

double LargestDifference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

class LayerClassifierTest : public testing::TestWithParam<bool> {
 protected:
  Data Make(uint64_t seed, bool easy) const {
    return GetParam() ? Scenes(seed, 90, 3, easy ? 0.05 : 2)
                      : Clusters(seed, 25, 3, easy ? 6 : 0.4);
  }
  ClassifierOptions Options() const {
    return {.multi_label = GetParam(), .l2_penalty = 0.02};
  }
};

INSTANTIATE_TEST_SUITE_P(, LayerClassifierTest, testing::Bool(),
                         [](const auto& suite) {
                           return suite.param ? "MultiLabel" : "SingleLabel";
                         });

TEST_P(LayerClassifierTest, FindsWhatGradientDescentFinds) {
  for (uint64_t seed = 0; seed < 4; ++seed) {
    for (const bool easy : {true, false}) {
      SCOPED_TRACE(testing::Message() << seed << (easy ? " easy" : " hard"));
      const Data learn = Make(seed, easy);
      const Data judge = Make(seed + 100, easy);
      const LinearClassifier expected = Descend(learn, Options());
      const LinearClassifier trained =
          TrainLinearClassifier(learn.features, learn.labels, Options())
              .value();
      // Both stop where the gradient is about 1e-5; the penalty of 0.02 makes
      // of that at most 1e-5 / 0.02 = 5e-4 of a weight.
      EXPECT_LT(LargestDifference(trained.weight, expected.weight), 1e-3);
      EXPECT_LT(LargestDifference(trained.bias, expected.bias), 1e-2);
      EXPECT_NEAR(Accuracy(trained, judge.features, judge.labels, GetParam()),
                  CountAccuracy(expected, judge, GetParam()), 0.011)
          << "at most one image on the border";
    }
  }
}

TEST_P(LayerClassifierTest, AccuracyIsTheShareThatIsRight) {
  const Data data = Make(7, /*easy=*/false);
  const LinearClassifier trained =
      TrainLinearClassifier(data.features, data.labels, Options()).value();
  EXPECT_NEAR(Accuracy(trained, data.features, data.labels, GetParam()),
              CountAccuracy(trained, data, GetParam()), 1e-12);
}

TEST_P(LayerClassifierTest, TellsTheSeparableFromTheRest) {
  const Data easy = Make(1, /*easy=*/true);
  const LinearClassifier good =
      TrainLinearClassifier(easy.features, easy.labels, Options()).value();
  EXPECT_GT(Accuracy(good, easy.features, easy.labels, GetParam()), 0.97);
  // Labels that have nothing to do with the features: no better than chance on
  // images that it did not learn from, 1/3 of three classes, 1/2 of yes or
  // no.
  Data learn = Make(2, /*easy=*/true);
  Data judge = Make(3, /*easy=*/true);
  torch::manual_seed(4);
  learn.features = at::randn({600, 5});
  learn.labels = learn.labels.repeat({10, 1}).narrow(0, 0, 600);
  judge.features = at::randn({600, 5});
  judge.labels = judge.labels.repeat({10, 1}).narrow(0, 0, 600);
  const LinearClassifier guess =
      TrainLinearClassifier(learn.features, learn.labels, Options()).value();
  const double chance = GetParam() ? 0.5 : 1.0 / 3;
  EXPECT_NEAR(Accuracy(guess, judge.features, judge.labels, GetParam()), chance,
              0.08)
      << "four standard deviations of 600 coins";
}

TEST_P(LayerClassifierTest, TheSameImagesGiveTheSameClassifier) {
  const Data data = Make(5, /*easy=*/false);
  const auto train = [&] {
    return TrainLinearClassifier(data.features, data.labels, Options()).value();
  };
  const LinearClassifier first = train();
  torch::manual_seed(99);
  const LinearClassifier second = train();
  EXPECT_TRUE(first.weight.equal(second.weight));
  EXPECT_TRUE(first.bias.equal(second.bias));
}

TEST_P(LayerClassifierTest, ScaleAndShiftOfFeaturesDoNotMatter) {
  const Data data = Make(6, /*easy=*/false);
  const at::Tensor other = data.features * 4 - 8;  // exact in float32
  const LinearClassifier a =
      TrainLinearClassifier(data.features, data.labels, Options()).value();
  const LinearClassifier b =
      TrainLinearClassifier(other, data.labels, Options()).value();
  EXPECT_LT(LargestDifference(a.weight, b.weight), 1e-3);
}

TEST_P(LayerClassifierTest, AFeatureThatNeverChangesTakesNoPart) {
  Data data = Make(8, /*easy=*/true);
  data.features.select(1, 2).fill_(0.1);
  const LinearClassifier trained =
      TrainLinearClassifier(data.features, data.labels, Options()).value();
  EXPECT_TRUE(trained.weight.isfinite().all().item<bool>());
  EXPECT_LT(trained.weight.select(1, 2).abs().max().item<double>(), 1e-4);
}

TEST_P(LayerClassifierTest, CancellingStopsIt) {
  const Data data = Make(9, /*easy=*/false);
  ClassifierOptions options = Options();
  int asked = 0;
  options.cancelled = [&] { return ++asked > 3; };
  EXPECT_EQ(TrainLinearClassifier(data.features, data.labels, options)
                .status()
                .code(),
            absl::StatusCode::kCancelled);
  EXPECT_LT(asked, 100);
}

TEST(LayerClassifierRareTest, ARareClassIsNotAnsweredWithNever) {
  torch::manual_seed(1);
  // 10 of 400 images show it, one standard deviation off.
  const at::Tensor shows = at::arange(400).lt(10).unsqueeze(1);
  const at::Tensor other = at::arange(400).remainder(2).eq(0).unsqueeze(1);
  const at::Tensor labels = at::cat({shows, other}, 1).to(at::kChar);
  const at::Tensor features =
      at::randn({400, 2}) + 2 * at::cat({shows, other}, 1).to(at::kFloat);
  const LinearClassifier trained =
      TrainLinearClassifier(features, labels, {.multi_label = true}).value();
  // Never: 0.5.  Two means two deviations apart: 0.84.
  EXPECT_GT(Accuracy(trained, features, labels, true), 0.75);
}

}  // namespace
}  // namespace saliency::layer_classifier_test
