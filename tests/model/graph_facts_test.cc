// What the graph tells of real convolutions, batch norms, cuts and the linear
// head.

#include "core/model/graph/graph_facts.h"

#include <ATen/ATen.h>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/model/model_fixture.h"
#include "tests/support/tensor_close.h"

namespace saliency::graph_facts_test {
namespace {

using testing::ElementsAre;

class GraphFactsTest : public ModelTest {
 protected:
  static const LayerInfo& Layer(const ProbedModel& model, const char* name) {
    return **model.FindLayer(name);
  }
};
SALIENCY_INSTANTIATE_DEVICES(GraphFactsTest);

// The operators that a convolution is written as: scripted, and traced with
// numbers and with "same" as the padding.
enum class Written { kConv2d, kConvolution, kConvolutionMode };

struct ConvCase {
  const char* name;
  ConvSpec spec;
  ConvGeometry geometry;
  Written written = Written::kConv2d;
};

const ConvCase kConvs[] = {
    {"plain", {}, {{3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, 1}},
    {"one number for both axes",
     {.kernel = {3, 3}, .padding = "[2]"},
     {{3, 3}, {1, 1}, {2, 2}, {2, 2}, {1, 1}, 1}},
    {"different axes",
     {.kernel = {1, 5}, .stride = {1, 2}, .padding = "[0, 2]"},
     {{1, 5}, {1, 2}, {0, 2}, {0, 2}, {1, 1}, 1}},
    {"groups and dilation",
     {.padding = "[2, 4]", .dilation = {2, 4}, .groups = 2},
     {{3, 3}, {1, 1}, {2, 4}, {2, 4}, {2, 4}, 2}},
    {"depthwise", {.groups = 4}, {{3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, 4}},
    {"valid",
     {.kernel = {3, 2}, .padding = "'valid'"},
     {{3, 2}, {1, 1}, {0, 0}, {0, 0}, {1, 1}, 1}},
    {"same, even kernel",
     {.kernel = {4, 2}, .padding = "'same'"},
     {{4, 2}, {1, 1}, {1, 0}, {2, 1}, {1, 1}, 1}},
    {"same, even kernel, dilated",
     {.kernel = {2, 3}, .padding = "'same'", .dilation = {3, 2}},
     {{2, 3}, {1, 1}, {1, 2}, {2, 2}, {3, 2}, 1}},
    {"traced",
     {.stride = {2, 1}, .padding = "[1, 0]", .dilation = {1, 2}, .groups = 4},
     {{3, 3}, {2, 1}, {1, 0}, {1, 0}, {1, 2}, 4},
     Written::kConvolution},
    {"traced same",
     {.kernel = {4, 2}, .padding = "'same'", .groups = 2},
     {{4, 2}, {1, 1}, {1, 0}, {2, 1}, {1, 1}, 2},
     Written::kConvolutionMode},
};

// Rewrites a tiny convolution's call as a trace would have it.
void WriteAs(Written written, TinyModule& conv) {
  const size_t call = conv.code.find("conv2d");
  if (written == Written::kConvolutionMode) {
    conv.code.replace(call, 6, "_convolution_mode");
  } else if (written == Written::kConvolution) {
    const size_t groups = conv.code.rfind(", ");
    conv.code.insert(groups, ", False, [0, 0]");
    conv.code.insert(conv.code.rfind(')'), ", False, False, True, True");
    conv.code.replace(call, 6, "_convolution");
  }
}

TEST_P(GraphFactsTest, ConvGeometryIsReadAndReproducesTheConvolution) {
  for (const ConvCase& c : kConvs) {
    SCOPED_TRACE(c.name);
    TinyModule conv = Conv(4, 8, c.spec);
    WriteAs(c.written, conv);
    const TinyModule net = Net({{"first", Conv(3, 4)}, {"conv", conv}},
                               R"(x = self.conv.forward(self.first.forward(x))
               return torch.mean(x, [2, 3]))");
    const auto model = Load(net);
    const std::optional<ConvGeometry>& geometry = Layer(*model, "conv").conv;
    ASSERT_TRUE(geometry.has_value());
    EXPECT_EQ(geometry->kernel, c.geometry.kernel);
    EXPECT_EQ(geometry->stride, c.geometry.stride);
    EXPECT_EQ(geometry->padding_before, c.geometry.padding_before);
    EXPECT_EQ(geometry->padding_after, c.geometry.padding_after);
    EXPECT_EQ(geometry->dilation, c.geometry.dilation);
    EXPECT_EQ(geometry->groups, c.geometry.groups);

    ProbeRequest request = EachImage(Images(2), 8, {"conv"});
    request.probes.push_back({"conv", Probe::Side::kInput});
    const ProbeResult result = model->Run(request).value();
    const at::Tensor padded = at::constant_pad_nd(
        result.records[1].activation,
        {geometry->padding_before[1], geometry->padding_after[1],
         geometry->padding_before[0], geometry->padding_after[0]});
    const at::Tensor again =
        at::conv2d(padded, net.At("conv.weight").to(device()),
                   net.At("conv.bias").to(device()), geometry->stride,
                   /*padding=*/at::IntArrayRef{0, 0}, geometry->dilation,
                   geometry->groups);
    EXPECT_TRUE(RowsClose(again, result.records[0].activation, kOtherBatch));
  }
}

TEST_P(GraphFactsTest, TransposedConvolutionIsNoConvolution) {
  TinyModule transposed = Conv(4, 4);
  transposed.code =
      "def forward(self, x):\n"
      "  return torch._convolution(x, self.weight, self.bias, [1, 1], [1, 1], "
      "[1, 1], True, [0, 0], 1, False, False, True, True)\n";
  const auto model =
      Load(Net({{"conv", Conv(3, 4)}, {"up", transposed}, {"relu", Relu()}},
               R"(x = self.relu.forward(self.up.forward(self.conv.forward(x)))
             return torch.mean(x, [2, 3]))"));
  EXPECT_TRUE(Layer(*model, "conv").conv.has_value());
  EXPECT_FALSE(Layer(*model, "up").conv.has_value());
  EXPECT_FALSE(Layer(*model, "relu").conv.has_value());
  EXPECT_FALSE(Layer(*model, "input").conv.has_value());
}

TEST_P(GraphFactsTest, BatchNormStatisticsAreTheRunningOnes) {
  const TinyModule net = ResidualNet();
  const auto model = Load(net);  // saved in training mode
  for (const char* layer : {"bn1", "block.bn"}) {
    SCOPED_TRACE(layer);
    const std::string name = layer;
    const std::optional<BatchNormStatistics>& norm =
        Layer(*model, layer).batch_norm;
    ASSERT_TRUE(norm.has_value());
    EXPECT_TRUE(Identical(norm->mean, net.At(name + ".running_mean")));
    EXPECT_TRUE(Identical(norm->variance, net.At(name + ".running_var")));
    EXPECT_EQ(norm->eps, 1e-3);
  }
  EXPECT_FALSE(Layer(*model, "conv1").batch_norm.has_value());
  EXPECT_FALSE(Layer(*model, "bn1").conv.has_value());
}

struct HeadCase {
  const char* name;
  const char* tail;  // from x, the output of `body.1`, to the logits
  std::optional<int> output_index;
};

const HeadCase kHeads[] = {
    {"adaptive pool",
     "return self.fc.forward("
     "torch.flatten(torch.adaptive_avg_pool2d(x, [1, 1]), 1))"},
    {"mean", "return self.fc.forward(torch.mean(x, [2, 3]))"},
    {"mean of the last axes, kept",
     "return self.fc.forward(torch.flatten(torch.mean(x, [-1, -2], True), 1))"},
    {"dropout that is off",
     "return self.fc.forward(torch.dropout("
     "torch.flatten(torch.adaptive_avg_pool2d(x, 1), 1), 0.5, False))"},
    {"addmm",
     "return torch.addmm(self.fc.bias, torch.mean(x, [2, 3]), "
     "torch.t(self.fc.weight))"},
    {"tuple", "return (self.fc.forward(torch.mean(x, [2, 3])), x)"},
    {"second of a tuple", "return (x, self.fc.forward(torch.mean(x, [2, 3])))",
     1},
};

TinyModule HeadNet(const std::string& tail) {
  return Net({{"body", Sequential({Conv(3, 6), Relu()})},
              {"fc", Linear(6, 5)},
              {"fc2", Linear(5, 5)}},
             "x = self.body.forward(x)\n" + tail);
}

TEST_P(GraphFactsTest, LinearHeadBehindAGlobalAveragePoolIsFound) {
  for (const HeadCase& c : kHeads) {
    SCOPED_TRACE(c.name);
    const TinyModule net = HeadNet(c.tail);
    LoadOptions options;
    options.output_index = c.output_index;
    const auto model = Load(net, options);
    ASSERT_TRUE(model->linear_head().has_value());
    const LinearHead& head = *model->linear_head();
    EXPECT_TRUE(Identical(head.weight, net.At("fc.weight")));
    EXPECT_FALSE(head.weight.requires_grad());
    EXPECT_THAT(head.layers, ElementsAre("body", "body.1"));
    // What `cam` rests on: the logits are linear in the pooled layer.
    const ProbeResult result =
        model->Run(EachImage(Images(2), 5, {"body"})).value();
    EXPECT_TRUE(
        RowsClose(result.logits,
                  at::linear(result.records[0].activation.mean({2, 3}).cpu(),
                             head.weight.cpu(), net.At("fc.bias")),
                  kOtherBatch));
  }
}

TEST_P(GraphFactsTest, OtherEndsHaveNoLinearHead) {
  const char* const tails[] = {
      "return self.fc.forward(torch.relu(torch.mean(x, [2, 3])))",
      "return self.fc2.forward(self.fc.forward(torch.mean(x, [2, 3])))",
      "return torch.sigmoid(self.fc.forward(torch.mean(x, [2, 3])))",
      "return self.fc.forward(torch.flatten(torch.mean(x, [3]), 1)[:, 0:6])",
      "return self.fc.forward(torch.flatten("
      "torch.adaptive_max_pool2d(x, [1, 1])[0], 1))",
      "return self.fc.forward(torch.mean(torch.tanh(x), [2, 3]))",
      "return torch.mean(x, [2, 3])"};
  for (const char* tail : tails) {
    SCOPED_TRACE(tail);
    EXPECT_FALSE(Load(HeadNet(tail))->linear_head().has_value());
  }
  LoadOptions first;
  first.output_index = 0;
  const auto model = Load(HeadNet("return (torch.mean(x, [2, 3]), "
                                  "self.fc.forward(torch.mean(x, [2, 3])))"),
                          first);
  EXPECT_FALSE(model->linear_head().has_value());
}

std::vector<std::string> Cuts(const ProbedModel& model) {
  std::vector<std::string> cuts;
  for (const LayerInfo& layer : model.layers()) {
    if (layer.is_cut) cuts.push_back(layer.name);
  }
  return cuts;
}

TEST_P(GraphFactsTest, CutsAreWhatEveryPathCrosses) {
  EXPECT_THAT(Cuts(*Load(ResidualNet())),
              ElementsAre("input", "conv1", "bn1", "relu", "block.relu",
                          "block", "tail.0", "tail.1", "tail", "fc"));
}

struct CutCase {
  const char* name;
  const char* body;  // of a(x), b, c
  std::vector<std::string> cuts;
};

const CutCase kCuts[] = {
    {"chain",
     "x = self.c.forward(self.b.forward(self.a.forward(x)))",
     {"input", "a", "b", "c"}},
    {"two branches",
     "x = self.c.forward(self.a.forward(x) + "
     "self.b.forward(x))",
     {"input", "c"}},
    {"long shortcut",
     "x = self.c.forward(self.b.forward(self.a.forward(x))) + x",
     {"input"}},
    {"branch that is not used",
     "y = self.b.forward(x)\nx = self.c.forward(self.a.forward(x))",
     {"input", "a", "c"}},
    {"size of a layer used later",
     "y = self.a.forward(x)\n"
     "z = self.c.forward(self.b.forward(y))\n"
     "x = z.view([y.size(0), 3, 8, 8])",
     {"input", "a"}},
    {"write that cannot be made functional",
     "x = self.a.forward(x)\n"
     "torch.select(x, 1, 0).mul_(2.)\n"
     "x = self.c.forward(self.b.forward(x))",
     {"input"}},
    {"If on data",
     "if bool(torch.mean(x) > 0.):\n"
     "  x = self.a.forward(x)\n"
     "else:\n"
     "  x = self.b.forward(x)\n"
     "x = self.c.forward(x)",
     {"input", "c"}},
    {"loop",
     "x = self.a.forward(x)\n"
     "for i in range(x.size(3) // 4):\n"
     "  x = self.b.forward(x)\n"
     "x = self.c.forward(x)",
     {"input", "a", "c"}},
    {"loop that is unrolled",
     "x = self.a.forward(x)\n"
     "for i in range(2):\n"
     "  x = self.b.forward(x)\n"
     "x = self.c.forward(x)",
     {"input", "a", "b", "b#2", "c"}},
    {"loop with an outer value",
     "x = self.a.forward(x)\n"
     "y = self.b.forward(x)\n"
     "for i in range(2):\n"
     "  y = y * x\n"
     "x = self.c.forward(y)",
     {"input", "a", "c"}},
};

TEST_P(GraphFactsTest, CutsOfBranchesLoopsAndSizes) {
  for (const CutCase& c : kCuts) {
    SCOPED_TRACE(c.name);
    const auto model =
        Load(Net({{"a", Conv(3, 3)}, {"b", Conv(3, 3)}, {"c", Conv(3, 3)}},
                 absl::StrCat(c.body, "\nreturn torch.mean(x, [2, 3])")));
    EXPECT_EQ(Cuts(*model), c.cuts);
  }
}

// Resized or normalised, it is the image still.
TEST_P(GraphFactsTest, LayersThatOnlyPrepareTheImageAreBehindNoWeights) {
  TinyModule norm = Function("Normalize", "(x - self.mean) / self.std");
  norm.buffers["mean"] = at::rand({1, 3, 1, 1});
  norm.buffers["std"] = at::rand({1, 3, 1, 1}) + 0.5;
  const auto model =
      Load(Net({{"norm", norm},
                {"resize", Function("Resize", "torch.avg_pool2d(x, [2, 2])")},
                {"conv", Conv(3, 4)},
                {"relu", Relu()},
                {"fc", Linear(4, 5)}},
               "x = self.resize.forward(self.norm.forward(x))\n"
               "l = [self.relu.forward(self.conv.forward(x))]\n"
               "l.append(l[0])\n"
               "return self.fc.forward(torch.mean(torch.cat(l)[:x.size(0)], "
               "[2, 3]))"));
  for (const char* layer : {"norm", "resize"}) {
    EXPECT_FALSE((*model->FindLayer(layer))->behind_weights) << layer;
  }
  for (const char* layer : {"conv", "relu"}) {
    EXPECT_TRUE((*model->FindLayer(layer))->behind_weights) << layer;
    EXPECT_TRUE((*model->FindLayer(layer))->before_weights) << layer;
  }
}

// Weight norm, cosine classifiers.
TEST_P(GraphFactsTest, WeightsThatAreComputedAreWeights) {
  TinyModule net =
      Net({{"conv", Conv(3, 4)}, {"relu", Relu()}},
          "y = torch.mean(self.relu.forward(self.conv.forward(x)), [2, 3])\n"
          "w = self.w / torch.norm(self.w, 2, [1], True)\n"
          "return torch.linear(y, w * self.scale)");
  net.parameters["w"] = at::rand({5, 4});
  net.parameters["scale"] = at::rand({1});
  EXPECT_TRUE((*Load(net)->FindLayer("relu"))->before_weights);
}

TEST_P(GraphFactsTest, WholeNumbersHaveNoMaps) {
  TinyModule pool = Function("Pool", "x");
  pool.code =
      "def forward(self, x):\n"
      "  return torch.max_pool2d_with_indices(x, [2, 2])\n";
  const auto model =
      Load(Net({{"conv", Conv(3, 4)}, {"pool", pool}, {"fc", Linear(4, 5)}},
               "y, i = self.pool.forward(self.conv.forward(x))\n"
               "y = torch.max_unpool2d(y, i, [8, 8])\n"
               "return self.fc.forward(torch.mean(y, [2, 3]))"));
  EXPECT_TRUE((*model->FindLayer("pool:0"))->spatial());
  const LayerInfo& positions = **model->FindLayer("pool:1");
  EXPECT_FALSE(positions.spatial());
  EXPECT_THAT(positions.no_maps_because, testing::HasSubstr("whole numbers"));
}

}  // namespace
}  // namespace saliency::graph_facts_test
