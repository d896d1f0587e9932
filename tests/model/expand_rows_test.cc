// Rows of one pass: many targets of an image, many images, and models that
// do not take them together.

#include <ATen/ATen.h>

#include "gmock/gmock.h"
#include "tests/model/model_fixture.h"
#include "tests/model/pass_log.h"
#include "tests/support/tensor_close.h"

namespace saliency::expand_rows_test {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

class ExpandRowsTest : public ModelTest {
 protected:
  // Rows (image, class) in the order given.
  static ProbeRequest Rows(const at::Tensor& images,
                           const std::vector<std::pair<int64_t, int64_t>>& rows,
                           const std::vector<std::string>& layers) {
    ProbeRequest request = EachImage(images, 1, layers);
    request.rows.clear();
    for (const auto& [image, index] : rows) {
      request.rows.push_back({image, ClassIndex{index}});
    }
    return request;
  }

  // Row r is what its image and target give alone.
  static void ExpectSingles(ProbedModel& model, const ProbeRequest& request,
                            const ProbeResult& result) {
    for (size_t r = 0; r < request.rows.size(); ++r) {
      SCOPED_TRACE(testing::Message() << "row " << r);
      const int64_t image = request.rows[r].image;
      ProbeRequest single = request;
      single.input = request.input.slice(0, image, image + 1);
      single.rows = {request.rows[r]};
      single.rows[0].image = 0;
      const ProbeResult alone = model.Run(single).value();
      const auto row = static_cast<int64_t>(r);
      EXPECT_EQ(result.class_index[r], alone.class_index[0]);
      EXPECT_NEAR(result.score[r], alone.score[0], 1e-5);
      EXPECT_TRUE(RowsClose(result.logits.slice(0, image, image + 1),
                            alone.logits, kOtherBatch));
      for (size_t i = 0; i < request.probes.size(); ++i) {
        SCOPED_TRACE(request.probes[i].layer);
        const ProbeResult::Record& record = result.records[i];
        EXPECT_TRUE(RowsClose(record.activation.slice(0, row, row + 1),
                              alone.records[i].activation, kOtherBatch));
        EXPECT_TRUE(RowsClose(record.gradient.slice(0, row, row + 1),
                              alone.records[i].gradient, kOtherBatch));
      }
    }
  }
};
SALIENCY_INSTANTIATE_DEVICES(ExpandRowsTest);

// Of the residual network: probes at a cut, inside a block, at the input, and
// all over it.
const std::vector<std::vector<std::string>> kProbeSets = {
    {"tail"}, {"block.conv"}, {"input"}, {"fc"}, {"conv1", "block.bn", "tail"}};

TEST_P(ExpandRowsTest, RowsOfOneImageAreItsSingleRunsInBothWays) {
  for (const auto& layers : kProbeSets) {
    SCOPED_TRACE(testing::PrintToString(layers));
    const auto model = Load(ResidualNet());
    const ProbeRequest request =
        Rows(Images(1), {{0, 3}, {0, 0}, {0, 4}, {0, 3}}, layers);
    // The first run repeats rows, the second goes backward once a target, and
    // the third takes what was cheaper.
    std::vector<ProbeResult> results;
    std::vector<int> backward;
    for (int run = 0; run < 3; ++run) {
      const PassLog log;
      results.push_back(model->Run(request).value());
      backward.push_back(log.Backward("Addmm"));
    }
    if (layers[0] != "fc") {
      EXPECT_EQ(backward[0], 1);
      EXPECT_EQ(backward[1], 4);
    }
    for (const ProbeResult& result : results) {
      ExpectSingles(*model, request, result);
    }
    for (size_t i = 0; i < layers.size(); ++i) {
      EXPECT_TRUE(RowsClose(results[1].records[i].gradient,
                            results[0].records[i].gradient, kOtherBatch));
    }
  }
}

TEST_P(ExpandRowsTest, PartBeforeTheNearestCutRunsOncePerImage) {
  // Rows of conv1, block.conv and tail.0, in the first (repeating) run.
  const auto rows = [&](const std::vector<std::string>& layers) {
    const auto model = Load(ResidualNet());
    const ProbeRequest request =
        Rows(Images(2), {{0, 0}, {0, 1}, {0, 2}, {1, 3}, {1, 4}}, layers);
    EXPECT_TRUE(model->Run(Rows(Images(2), {{0, 0}, {1, 1}}, layers)).ok());
    const PassLog log;
    EXPECT_TRUE(model->Run(request).ok());
    return log.convolution_rows();
  };
  EXPECT_THAT(rows({"tail"}), ElementsAre(2, 2, 2));
  EXPECT_THAT(rows({"tail.0"}), ElementsAre(2, 2, 2));
  EXPECT_THAT(rows({"block"}), ElementsAre(2, 2, 5));
  EXPECT_THAT(rows({"block.conv"}), ElementsAre(2, 5, 5));
  EXPECT_THAT(rows({"block.bn", "tail"}), ElementsAre(2, 5, 5));
  EXPECT_THAT(rows({"relu"}), ElementsAre(2, 5, 5));
  EXPECT_THAT(rows({"tail", "input"}), ElementsAre(5, 5, 5));
}

TEST_P(ExpandRowsTest, ImagesOfABatchAreTheirSingleRuns) {
  const auto model = Load(ResidualNet());
  const ProbeRequest request = EachImage(Images(6), 5, LayerNames(*model));
  ExpectSingles(*model, request, model->Run(request).value());
}

TEST_P(ExpandRowsTest, ImagesWithDifferentNumbersOfTargetsInAnyOrder) {
  const auto model = Load(ResidualNet());
  const ProbeRequest request =
      Rows(Images(3), {{2, 1}, {0, 0}, {1, 4}, {1, 2}, {0, 3}, {1, 1}, {2, 1}},
           {"relu"});
  for (int run = 0; run < 3; ++run) {
    const ProbeResult result = model->Run(request).value();
    EXPECT_EQ(result.logits.size(0), 3);
    ExpectSingles(*model, request, result);
  }
}

TEST_P(ExpandRowsTest, OrderOfImagesIsFreeWhenEachHasOneRow) {
  const auto model = Load(ResidualNet());
  const ProbeRequest request =
      Rows(Images(3), {{2, 1}, {0, 0}, {1, 4}}, {"tail", "input"});
  for (int run = 0; run < 2; ++run) {
    ExpectSingles(*model, request, model->Run(request).value());
  }
}

// A traced view of one image.
TinyModule BakedBatchNet() {
  return Net({{"conv", Conv(3, 4)}, {"fc", Linear(256, 3)}},
             R"(x = torch.relu(self.conv.forward(x))
                return self.fc.forward(x.view([1, 256])))");
}

TEST_P(ExpandRowsTest, BakedInBatchSizeIsFoundAndServedOneByOne) {
  const TinyModule net = BakedBatchNet();
  const auto model = Load(net);
  EXPECT_FALSE(model->self_check().rows_independent);
  EXPECT_FALSE(model->self_check().expand_rows_at_probe);
  const at::Tensor images = Images(3);
  LayerValues v;
  v["input"] = Leaf(images);
  v["conv"] = ApplyConv(net, "conv", v["input"]);
  v["logits"] = ApplyLinear(net, "fc", at::relu(v["conv"]).flatten(1));
  ExpectReference(*model, images, v);
  const ProbeRequest request =
      Rows(images, {{1, 2}, {0, 0}, {1, 1}, {2, 0}}, {"conv", "input"});
  ExpectSingles(*model, request, model->Run(request).value());
}

TEST_P(ExpandRowsTest, BatchSizeReadBeforeTheProbeFansOutAtTheInput) {
  const TinyModule net = Net({{"conv", Conv(3, 4)}, {"fc", Linear(256, 3)}},
                             R"(n = x.size(0)
                                x = torch.relu(self.conv.forward(x))
                                return self.fc.forward(x.view([n, 256])))");
  const auto model = Load(net);
  EXPECT_TRUE(model->self_check().rows_independent);
  EXPECT_FALSE(model->self_check().expand_rows_at_probe);
  EXPECT_FALSE((*model->FindLayer("conv"))->is_cut);
  const ProbeRequest request =
      Rows(Images(2), {{0, 0}, {0, 1}, {1, 2}}, {"conv"});
  EXPECT_TRUE(model->Run(EachImage(Images(2), 3, {"conv"})).ok());
  const PassLog log;
  const ProbeResult result = model->Run(request).value();
  EXPECT_THAT(log.convolution_rows(), ElementsAre(3));
  ExpectSingles(*model, request, result);
}

TEST_P(ExpandRowsTest, RowsThatDependOnEachOtherAreServedOneByOne) {
  const TinyModule net = Net({{"conv", Conv(3, 4)}},
                             R"(x = self.conv.forward(x)
             x = torch.tanh(x - 0.5 * torch.mean(x, [0], True))
             return torch.mean(x, [2, 3]))");
  const auto model = Load(net);
  EXPECT_FALSE(model->self_check().rows_independent);
  EXPECT_FALSE(model->self_check().expand_rows_at_probe);
  const at::Tensor images = Images(3);
  const ProbeRequest request =
      Rows(images, {{0, 0}, {0, 1}, {2, 3}, {1, 1}}, {"input", "conv"});
  const ProbeResult result = model->Run(request).value();
  ExpectSingles(*model, request, result);
  for (int64_t p = 0; p < 3; ++p) {
    const at::Tensor conv =
        ApplyConv(net, "conv", Leaf(images.slice(0, p, p + 1)));
    EXPECT_TRUE(RowsClose(result.logits.slice(0, p, p + 1),
                          at::tanh(0.5 * conv).mean({2, 3}), kSameOperators));
  }
}

TEST_P(ExpandRowsTest, SoundModelsPassTheSelfCheck) {
  const auto model = Load(ResidualNet());
  EXPECT_TRUE(model->self_check().rows_independent);
  EXPECT_TRUE(model->self_check().expand_rows_at_probe);
}

TEST_P(ExpandRowsTest, ScoresWithoutProbesNeedNoBackward) {
  const auto model = Load(ResidualNet());
  ProbeRequest request = Rows(Images(2), {{0, 0}, {0, 1}, {1, 2}}, {});
  const PassLog log;
  for (int run = 0; run < 2; ++run) {
    const ProbeResult result = model->Run(request).value();
    EXPECT_TRUE(result.records.empty());
    ExpectSingles(*model, request, result);
  }
  EXPECT_EQ(log.Backward(""), 0);
}

TEST_P(ExpandRowsTest, RequestsThatMakeNoSenseAreRefused) {
  const auto model = Load(ResidualNet());
  const at::Tensor images = Images(2);
  const auto message = [&](const ProbeRequest& request) {
    const absl::Status status = model->Run(request).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_EQ(message(Rows(images, {{0, 0}, {1, 0}, {2, 0}}, {"tail"})),
            "image 2 not in [0, 2)");
  EXPECT_EQ(message(Rows(images, {{0, 0}, {-1, 0}}, {"tail"})),
            "image -1 not in [0, 2)");
  EXPECT_THAT(message(Rows(images, {}, {"tail"})),
              HasSubstr("at least one row"));
  EXPECT_THAT(message(Rows(images[0], {{0, 0}}, {"tail"})),
              HasSubstr("[N,C,H,W]"));
  EXPECT_THAT(message(Rows(at::zeros({2, 1, 8, 8}), {{0, 0}}, {"tail"})),
              HasSubstr("[N,C,H,W]"));
  // Whichever way the rows would have run.
  for (int run = 0; run < 3; ++run) {
    EXPECT_EQ(message(Rows(images, {{1, 0}, {1, 1}}, {"tail"})),
              "image 0 has no row");
  }
}

}  // namespace
}  // namespace saliency::expand_rows_test
