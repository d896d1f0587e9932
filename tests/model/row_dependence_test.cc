// Models whose answer to an image depends on its neighbours in the batch, or
// on chance: found whatever operator does it, and told.

#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "tests/model/model_fixture.h"
#include "tests/support/tensor_close.h"

namespace saliency::row_dependence_test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// `line` stands between a convolution and a linear head.
struct Between {
  std::string name;
  std::string line;
  std::string reason;  // a part of it
};

TinyModule BetweenNet(const std::string& line) {
  return Net({{"conv", Conv(3, 8)}, {"fc", Linear(8, 5)}},
             "x = self.conv.forward(x)\n" + line +
                 "\nreturn self.fc.forward(torch.mean(x, [2, 3]))");
}

// The thresholds are beyond every value that a trial would think of.
const std::vector<Between> kDependent = {
    {"ThresholdOnTheLargest",
     "x = torch.where(torch.max(x) > 1.0e9, x / 255., x)", "aten::max"},
    {"ThresholdOnTheMean",
     "x = x * torch.where(torch.mean(x) > 12345., 2., 1.)", "aten::mean"},
    {"AnyAboveAThreshold",
     "x = torch.where(torch.any(x > 1.0e6), torch.zeros_like(x), x)",
     "aten::any"},
    {"AllBelowAThreshold",
     "x = torch.where(torch.all(x < 1.0e6), x, torch.zeros_like(x))",
     "aten::all"},
    {"CountOfZeros", "x = x + 0. * torch.count_nonzero(x)",
     "aten::count_nonzero"},
    {"AutorangeQuantisation",
     "s = torch.amax(torch.abs(x)) / 127.\n"
     "x = torch.clamp(torch.round(x / s), -128, 127) * s",
     "aten::amax"},
    {"RangeOfBoth", "a = torch.min(x)\nx = (x - a) / (torch.max(x) - a)",
     "aten::min"},
    {"BatchMean", "x = x - torch.mean(x, [0], True)", "aten::mean"},
    {"BatchStatistics",
     "x = torch.batch_norm(x, None, None, None, None, True, 0.1, 1e-5, False)",
     "aten::batch_norm"},
    {"SoftmaxOverTheBatch", "x = x * torch.softmax(x, 0)", "aten::softmax"},
    {"SortOverTheBatch", "x = torch.sort(x, 0)[0]", "aten::sort"},
    {"ArgsortOverTheBatch", "x = x * (1 + torch.argsort(x, 0))",
     "aten::argsort"},
    {"LargestOfTheBatch", "x = x * (torch.topk(x, 1, 0)[1] + 1)", "aten::topk"},
    {"CumulativeSum", "x = torch.cumsum(x, 0)", "aten::cumsum"},
    {"CumulativeMaximum", "x = torch.cummax(x, 0)[0]", "aten::cummax"},
    {"Median", "x = x - torch.median(x)", "aten::median"},
    {"Norm", "x = x / torch.norm(x)", "aten::norm"},
    {"Gram",
     "g = torch.flatten(x, 1)\n"
     "x = x * torch.sum(torch.mm(g, g.t()), [1]).view([-1, 1, 1, 1])",
     "aten::mm"},
    {"DistancesBetweenImages",
     "g = torch.flatten(x, 1)\n"
     "x = x * torch.sum(torch.cdist(g, g), [1]).view([-1, 1, 1, 1])",
     "aten::cdist"},
    {"DifferenceFromTheFirst", "x = x - x[0:1]", "aten::sub"},
    {"ShiftInTime",
     "x = torch.cat([torch.cat([x[1:, :4], torch.zeros_like(x[:1, :4])], 0), "
     "x[:, 4:]], 1)\nx = x * torch.sum(x, [1], True)",
     "aten::sum"},
    {"WriteOfAnAverage", "a = torch.mean(x.clone()[:, 0], [0])\nx[:, 0] = a",
     "aten::mean"},
    {"Histogram", "x = x * torch.histc(x, 4, -1, 1)[0]", "aten::histc"},
    {"ConvolutionOverTheBatch",
     "x = torch.conv1d(x.permute([1, 2, 3, 0]).reshape([1, 512, -1]), "
     "torch.ones([1, 512, 2]), None, [1], [1])[0, 0, 0] * x",
     "aten::conv1d"},
};

// Rows that trade places, or give the batch's size away.
const std::vector<Between> kOddRows = {
    {"Flip", "x = torch.flip(x, [0])", "not that of the row's image alone"},
    {"Roll", "x = torch.roll(x, 1, 0)", "not that of the row's image alone"},
    {"FirstForAll", "x = x[0:1].expand_as(x)",
     "not that of the row's image alone"},
    {"SumOverTheCount", "x = x * x.size(0)", "changes beside other images"},
};

const std::vector<Between> kIndependent = {
    {"LargestOfEach",
     "x = torch.where(torch.amax(x, [1, 2, 3], True) > 0.5, x / 255., x)", ""},
    {"SortOfEach", "x = torch.sort(torch.flatten(x, 2), 2)[0].view_as(x)", ""},
    {"SoftmaxOfEach", "x = torch.softmax(torch.flatten(x, 2), 2).view_as(x)",
     ""},
    {"CumulativeSumOfEach", "x = torch.cumsum(x, 3)", ""},
    {"InstanceNorm",
     "x = torch.instance_norm(x, None, None, None, None, True, 0.1, 1e-5, "
     "False)",
     ""},
    {"LayerNorm", "x = torch.layer_norm(x, [8, 8, 8], None, None)", ""},
    {"GroupNorm", "x = torch.group_norm(x, 2, None, None)", ""},
    {"RowsAsGroups",
     "n = x.size(0)\n"
     "w = torch.mean(x, [2, 3]).view([n * 8, 1, 1, 1]) * torch.ones([1, 1, 3, "
     "3])\n"
     "x = torch.conv2d(x.reshape([1, n * 8, 8, 8]), w, None, [1, 1], [1, 1], "
     "[1, 1], n * 8).view([n, 8, 8, 8])",
     ""},
    {"TwiceTurned", "x = torch.flip(torch.flip(x, [0]), [0])", ""},
    {"GramOfEach",
     "g = torch.flatten(x, 2)\n"
     "x = x * torch.mean(torch.bmm(g, g.transpose(1, 2)), [2])"
     ".view([-1, 8, 1, 1])",
     ""},
    {"SpectrumOfEach", "x = torch.fft_irfft2(torch.fft_rfft2(x) * 0.5)", ""},
};

class RowDependenceTest : public ModelTest {};
SALIENCY_INSTANTIATE_DEVICES(RowDependenceTest);

TEST_P(RowDependenceTest, AnOperatorThatMixesImagesIsNamed) {
  for (const Between& between : kDependent) {
    SCOPED_TRACE(between.name);
    const auto model = Load(BetweenNet(between.line));
    EXPECT_FALSE(model->self_check().rows_independent);
    EXPECT_FALSE(model->self_check().expand_rows_at_probe);
    EXPECT_THAT(model->self_check().rows_depend_because,
                HasSubstr("operator " + between.reason + " mixes"));
    EXPECT_TRUE(model->self_check().deterministic);
  }
}

TEST_P(RowDependenceTest, RowsThatAreNotTheirImagesAreFound) {
  for (const Between& between : kOddRows) {
    SCOPED_TRACE(between.name);
    const auto model = Load(BetweenNet(between.line));
    EXPECT_FALSE(model->self_check().rows_independent);
    EXPECT_THAT(model->self_check().rows_depend_because,
                HasSubstr(between.reason));
  }
}

TEST_P(RowDependenceTest, WhatStaysWithinAnImageIsIndependent) {
  for (const Between& between : kIndependent) {
    SCOPED_TRACE(between.name);
    const auto model = Load(BetweenNet(between.line));
    EXPECT_TRUE(model->self_check().rows_independent);
    EXPECT_THAT(model->self_check().rows_depend_because, IsEmpty());
  }
}

// Far apart in range: what a neighbour could change, it would.
TEST_P(RowDependenceTest, ABatchAnswersAsItsImagesAlone) {
  std::vector<Between> all = kDependent;
  all.insert(all.end(), kOddRows.begin(), kOddRows.end());
  all.insert(all.end(), kIndependent.begin(), kIndependent.end());
  const at::Tensor scale = at::tensor({1.F, 1e10F, 1e-3F}).view({3, 1, 1, 1});
  const at::Tensor images = Images(3) * scale;
  for (const Between& between : all) {
    SCOPED_TRACE(between.name);
    const auto model = Load(BetweenNet(between.line));
    const ProbeResult batch =
        model->Run(EachImage(images, 1, {"conv"})).value();
    for (int64_t p = 0; p < 3; ++p) {
      const ProbeResult alone =
          model->Run(EachImage(images.slice(0, p, p + 1), 1, {"conv"})).value();
      EXPECT_TRUE(at::allclose(batch.logits.slice(0, p, p + 1), alone.logits,
                               1e-4, 1e-6, /*equal_nan=*/true));
      EXPECT_TRUE(at::allclose(batch.records[0].gradient.slice(0, p, p + 1),
                               alone.records[0].gradient, 1e-4, 1e-6,
                               /*equal_nan=*/true));
    }
  }
}

TEST_P(RowDependenceTest, AModelThatIsRandomSaysSo) {
  const std::vector<std::string> noisy = {
      "x = torch.dropout(x, 0.5, True)",
      "x = torch.feature_dropout(x, 0.5, True)",
      "x = x + 0.3 * torch.randn_like(x)",
      "x = x * torch.rand([1])",
      "x = x + torch.bernoulli(torch.full_like(x, 0.5))",
      "x = torch.rrelu(x, 0.1, 0.3, True)",
      "x = x[:, torch.randperm(8)]",
  };
  for (const std::string& line : noisy) {
    SCOPED_TRACE(line);
    const auto model = Load(BetweenNet(line));
    EXPECT_FALSE(model->self_check().deterministic);
    EXPECT_THAT(model->self_check().random_operator, HasSubstr("aten::"));
    // Chance is no neighbour.
    EXPECT_TRUE(model->self_check().rows_independent)
        << model->self_check().rows_depend_because;
  }
}

TEST_P(RowDependenceTest, AShuffleOfTheBatchIsRandomAndMixes) {
  const auto model = Load(BetweenNet("x = x + x[torch.randperm(x.size(0))]"));
  EXPECT_FALSE(model->self_check().rows_independent);
}

TEST_P(RowDependenceTest, ADropoutThatIsOffIsNoChance) {
  for (const std::string line :
       {"x = torch.dropout(x, 0.5, False)", "x = torch.dropout(x, 0., True)"}) {
    const auto model = Load(BetweenNet(line));
    EXPECT_TRUE(model->self_check().deterministic);
    EXPECT_THAT(model->self_check().random_operator, IsEmpty());
  }
}

TEST_P(RowDependenceTest, ANumberReadOffTheImagesIsNamed) {
  const auto model =
      Load(BetweenNet("if bool(torch.max(x) > 1.0e9):\n  x = x / 255."));
  EXPECT_FALSE(model->self_check().rows_independent);
  EXPECT_THAT(model->self_check().rows_depend_because,
              HasSubstr("aten::Bool reads a number"));
}

// The trials have three images at most.
TEST_P(RowDependenceTest, AnIfOnTheNumberOfImagesIsFoundUntried) {
  for (const std::string condition :
       {"x.size(0) > 4", "len(x) * 2 > 9", "x.size()[0] > 4"}) {
    SCOPED_TRACE(condition);
    const auto model =
        Load(BetweenNet("if " + condition + ":\n  x = x - torch.mean(x)"));
    EXPECT_FALSE(model->self_check().rows_independent);
    EXPECT_THAT(model->self_check().rows_depend_because,
                HasSubstr("depends on the number of images"));
  }
  for (const std::string line :
       {"assert x.size(0) > 0, \"no image\"", "if x.size(2) > 4:\n  x = x - 1.",
        "x = x.view([x.size(0), -1, 8, 8])"}) {
    SCOPED_TRACE(line);
    EXPECT_TRUE(Load(BetweenNet(line))->self_check().rows_independent);
  }
}

}  // namespace
}  // namespace saliency::row_dependence_test
