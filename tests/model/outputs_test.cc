// Which of a model's outputs holds the logits, and what shapes they may have.

#include <ATen/ATen.h>

#include <cmath>
#include <functional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "tests/model/model_fixture.h"
#include "tests/support/tensor_close.h"

namespace saliency::outputs_test {
namespace {

using testing::HasSubstr;

class OutputsTest : public ModelTest {
 protected:
  // conv, then `result` of y = conv(x).
  static TinyModule NetReturning(const std::string& result) {
    return Net({{"conv", Conv(3, 4)}},
               "y = self.conv.forward(x)\nreturn " + result);
  }

  absl::Status LoadStatus(const TinyModule& tiny, LoadOptions options) const {
    const ModelFile file(tiny);
    options.device = GetParam();
    options.input_height = options.input_width = 8;
    return ProbedModel::Load(file.path(), options).status();
  }

  // Loads `net` and holds it against `logits` of conv's output.
  void ExpectLogits(
      const TinyModule& net, const LoadOptions& options,
      const std::function<at::Tensor(const at::Tensor&)>& logits) const {
    const auto model = Load(net, options);
    const at::Tensor images = Images(3);
    LayerValues v;
    v["conv"] = ApplyConv(net, "conv", Leaf(images));
    v["logits"] = logits(v["conv"]);
    EXPECT_EQ(model->num_classes(), v["logits"].size(1));
    ExpectReference(*model, images, v);
  }
};
SALIENCY_INSTANTIATE_DEVICES(OutputsTest);

at::Tensor Mean(const at::Tensor& y) { return y.mean({2, 3}); }
at::Tensor Squares(const at::Tensor& y) { return (y * y).mean({2, 3}); }

constexpr char kTuple[] =
    "(1, torch.mean(y, [2, 3]), torch.mean(y * y, [2, 3]))";
constexpr char kList[] = "[torch.mean(y, [2, 3]), torch.mean(y * y, [2, 3])]";
constexpr char kDict[] =
    "{\"mean\": torch.mean(y, [2, 3]), "
    "\"square\": torch.mean(y * y, [2, 3])}";

LoadOptions AtIndex(int index) {
  LoadOptions options;
  options.output_index = index;
  return options;
}

LoadOptions AtKey(const std::string& key) {
  LoadOptions options;
  options.output_key = key;
  return options;
}

TEST_P(OutputsTest, FirstTensorIsTakenWhenNothingIsSaid) {
  for (const char* result : {kTuple, kList, kDict}) {
    SCOPED_TRACE(result);
    ExpectLogits(NetReturning(result), {}, &Mean);
  }
}

TEST_P(OutputsTest, IndexPicksOutOfATupleOrList) {
  ExpectLogits(NetReturning(kTuple), AtIndex(1), &Mean);
  ExpectLogits(NetReturning(kTuple), AtIndex(2), &Squares);
  ExpectLogits(NetReturning(kList), AtIndex(0), &Mean);
  ExpectLogits(NetReturning(kList), AtIndex(1), &Squares);
  ExpectLogits(NetReturning("torch.mean(y, [2, 3])"), AtIndex(0), &Mean);
}

TEST_P(OutputsTest, KeyPicksOutOfADict) {
  ExpectLogits(NetReturning(kDict), AtKey("mean"), &Mean);
  ExpectLogits(NetReturning(kDict), AtKey("square"), &Squares);
}

TEST_P(OutputsTest, MissingOutputIsRefusedWithTheLimit) {
  const auto message = [&](const char* result, const LoadOptions& options) {
    const absl::Status status = LoadStatus(NetReturning(result), options);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << result;
    return std::string(status.message());
  };
  EXPECT_THAT(message(kTuple, AtIndex(3)),
              HasSubstr("output_index 3 not in [0, 3)"));
  EXPECT_THAT(message(kTuple, AtIndex(-1)),
              HasSubstr("output_index -1 not in [0, 3)"));
  EXPECT_THAT(message(kTuple, AtIndex(0)),
              HasSubstr("output_index 0 is not a tensor"));
  EXPECT_THAT(message("torch.mean(y, [2, 3])", AtIndex(1)),
              HasSubstr("output_index 1 not in [0, 1)"));
  EXPECT_THAT(message(kDict, AtKey("means")),
              HasSubstr("output_key: tensor \"means\" not found; nearest: "
                        "\"mean\", \"square\""));
  EXPECT_THAT(message(kDict, AtIndex(0)),
              HasSubstr("returns a dict: output_key picks"));
  EXPECT_THAT(message(kTuple, AtKey("max")),
              HasSubstr("does not return a dict"));
  EXPECT_THAT(message("3", {}), HasSubstr("returned no tensor"));
  EXPECT_THAT(message("(1, [2])", {}), HasSubstr("returned no tensor"));
}

TEST_P(OutputsTest, LogitsOfOtherShapesAreRefused) {
  const absl::Status three = LoadStatus(NetReturning("torch.mean(y, 3)"), {});
  EXPECT_EQ(three.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(three.message()), HasSubstr("3 dimensions"));
  for (const char* numbers :
       {"torch.complex(torch.mean(y, [2, 3]), torch.mean(y, [2, 3]))",
        "torch.fft_fft(torch.mean(y, [2, 3]))"}) {
    const absl::Status complex = LoadStatus(NetReturning(numbers), {});
    EXPECT_EQ(complex.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(complex.message()), HasSubstr("complex numbers"));
  }
  const absl::Status rows =
      LoadStatus(NetReturning("torch.mean(y, [2, 3]).t()"), {});
  EXPECT_EQ(rows.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(rows.message()),
              HasSubstr("4 rows of logits for one image"));
}

// squeeze() of one image takes the images' axis, too.
TEST_P(OutputsTest, ASqueezedOutputIsThatOfItsImage) {
  for (const char* result : {"torch.squeeze(torch.mean(y, [2, 3]))",
                             "torch.squeeze(torch.mean(y, [2, 3], True))",
                             "(torch.squeeze(torch.mean(y, [2, 3])), y)"}) {
    SCOPED_TRACE(result);
    ExpectLogits(NetReturning(result), {}, &Mean);
  }
  const auto map = Load(NetReturning("torch.squeeze(y)"));
  EXPECT_EQ(map->num_classes(), 4);
  EXPECT_TRUE(map->self_check().rows_independent);
  const auto one =
      Load(NetReturning("torch.squeeze(torch.mean(y, [1, 2, 3]))"));
  EXPECT_TRUE(one->meaning().one_output);
  EXPECT_TRUE(one->self_check().rows_independent);
  // One of all images together is right for one at a time.
  const auto all = Load(NetReturning("torch.mean(y)"));
  EXPECT_FALSE(all->self_check().rows_independent);
}

// The mean of a class's logits, weighted by their own spatial softmax.
at::Tensor SpatialScore(const at::Tensor& map) {
  const at::Tensor weight = at::softmax(map.flatten(2), 2);
  return (weight * map.flatten(2)).sum(2);
}

TEST_P(OutputsTest, SpatialLogitMapIsWeightedByItsOwnSoftmax) {
  ExpectLogits(NetReturning("y * 3."), {},
               [](const at::Tensor& y) { return SpatialScore(y * 3); });
}

TEST_P(OutputsTest, SpatialLogitMapOfOnePixelIsThePlainLogit) {
  ExpectLogits(NetReturning("torch.mean(y, [2, 3], True)"), {}, &Mean);
}

TEST_P(OutputsTest, WeightsOfASpatialLogitMapAreStable) {
  const auto model = Load(NetReturning("y * 1000."));
  const at::Tensor images = Images(2);
  const ProbeResult result = model->Run(EachImage(images, 4, {"conv"})).value();
  EXPECT_TRUE(at::isfinite(result.logits).all().item<bool>());
  // p (1 + z - s) over the positions adds up to 1.
  const at::Tensor sums = result.records[0].gradient.sum({1, 2, 3}) / 1000;
  EXPECT_TRUE(RowsClose(sums, at::ones({2}), 1e-5));
}

TEST_P(OutputsTest, AMapIsTheDerivativeOfTheScoreThatIsShown) {
  // By finite differences of the score alone.
  const auto model = Load(NetReturning("y * 3."));
  const at::Tensor image = Images(1);
  const ProbeResult result = model->Run(EachImage(image, 4, {"input"})).value();
  const at::Tensor direction = at::randn_like(image);
  const double step = 1e-2;
  const auto score = [&](double at) {
    return static_cast<double>(
        model->Run(EachImage(image + at * direction, 4, {"input"}))
            .value()
            .score[0]);
  };
  const double slope = (score(step) - score(-step)) / (2 * step);
  const double derivative =
      (result.records[0].gradient.cpu() * direction).sum().item<double>();
  EXPECT_NEAR(derivative, slope, 2e-2 * std::abs(slope));
}

TEST_P(OutputsTest, WhatIsTakenAndWhatIsNotIsTold) {
  const auto told = [&](const char* result, const LoadOptions& options) {
    const ModelOutput output = Load(NetReturning(result), options)->output();
    return absl::StrCat(output.name, " [", absl::StrJoin(output.shape, ","),
                        "], not ", absl::StrJoin(output.others, " or "));
  };
  EXPECT_EQ(told("torch.mean(y, [2, 3])", {}), "the output [4], not ");
  EXPECT_EQ(told("y", {}), "the output [4,8,8], not ");
  EXPECT_EQ(told("(y, torch.mean(y, [2, 3]))", {}),
            "output 0 [4,8,8], not output 1 [4]");
  EXPECT_EQ(told("(y, torch.mean(y, [2, 3]))", AtIndex(1)),
            "output 1 [4], not output 0 [4,8,8]");
  EXPECT_EQ(told("((y, 1), torch.mean(y, [2, 3]))", {}),
            "output 1 [4], not output 0 (holds tensors: flatten it)");
  EXPECT_EQ(told(kDict, AtKey("square")),
            "output \"square\" [4], not output \"mean\" [4]");
}

TEST_P(OutputsTest, OneNumberForEachImageIsAScalarOutput) {
  for (const char* result :
       {"torch.mean(y * y, [1, 2, 3])", "torch.mean(y * y, [2, 3])[:, 0:1]"}) {
    SCOPED_TRACE(result);
    const TinyModule net = NetReturning(result);
    LoadOptions options;
    options.activation = OutputActivation::kRegression;
    const auto model = Load(net, options);
    EXPECT_EQ(model->num_classes(), 1);
    const at::Tensor images = Images(3);
    ProbeRequest request = EachImage(images, 1, {"conv"});
    for (ProbeRow& row : request.rows) {
      row.score = Score::kScalarOutput;
      row.target = ClassIndex{17};  // ignored
    }
    const ProbeResult answer = model->Run(request).value();
    const at::Tensor y = ApplyConv(net, "conv", Leaf(images));
    const bool all = std::string(result).find("1, 2") != std::string::npos;
    const at::Tensor scores =
        all ? (y * y).mean({1, 2, 3}) : (y * y).mean({2, 3}).select(1, 0);
    EXPECT_TRUE(RowsClose(answer.logits, scores.unsqueeze(1), kSameOperators));
    EXPECT_TRUE(RowsClose(answer.records[0].gradient,
                          Gradients(scores.sum(), {y})[0], kSameOperators));
    EXPECT_THAT(answer.class_index, testing::Each(0));
  }
}

TEST_P(OutputsTest, ScalarOutputNeedsAModelWithOneOutput) {
  const auto model = Load(NetReturning("torch.mean(y, [2, 3])"));
  ProbeRequest request = EachImage(Images(1), 4, {"conv"});
  request.rows[0].score = Score::kScalarOutput;
  const absl::Status status = model->Run(request).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::string(status.message()),
            "score SCALAR_OUTPUT needs a model with one output; this one has "
            "4");
}

}  // namespace
}  // namespace saliency::outputs_test
