// Which axes of a layer are channels, height and width: told from the operators
// that made it, whatever its sizes are.

#include <ATen/ATen.h>

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "tests/model/model_fixture.h"
#include "tests/support/tensor_close.h"

namespace saliency::layer_axes_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class LayerAxesTest : public ModelTest {
 protected:
  // The layer, as the model turns it, is [K,H,W] of `stem` under a function
  // that keeps positions: its channels alone differ.
  static void ExpectTurned(ProbedModel& model, const std::string& layer,
                           const at::Tensor& activation) {
    const ProbeResult result =
        model.Run(EachImage(kImages(), 1, {layer})).value();
    EXPECT_TRUE(
        RowsClose(result.records[0].activation, activation, kSameOperators));
    EXPECT_EQ(result.records[0].gradient.sizes(), activation.sizes());
  }
  static at::Tensor kImages() {
    static const at::Tensor images = at::randn({2, 3, 8, 8});
    return images;
  }
};
SALIENCY_INSTANTIATE_DEVICES(LayerAxesTest);

// conv [n,8,8,8]: channels as many as rows and columns; then `way` to [n,h,w,k]
// and a module there.
TinyModule ChannelsLastNet(const std::string& way) {
  return Net({{"stem", Conv(3, 8)},
              {"mixed", Linear(8, 8)},
              {"act", Function("GELU", "torch.gelu(x)")},
              {"fc", Linear(8, 5)}},
             "x = self.stem.forward(x)\nn = x.size(0)\n" + way +
                 "\nx = self.act.forward(self.mixed.forward(x))\n"
                 "return self.fc.forward(torch.mean(x, [1, 2]))");
}

const std::vector<std::string> kWays = {
    "x = x.permute([0, 2, 3, 1])",
    "x = x.permute([0, 2, 3, 1]).contiguous()",
    "x = x.transpose(1, 2).transpose(2, 3)",
    "x = torch.flatten(x, 2).transpose(1, 2).view([n, 8, 8, 8])",
    "x = torch.flatten(x, 2).transpose(1, 2).reshape([n, 8, 8, 8])",
    "x = torch.movedim(x, 1, 3)",
    "x = torch.layer_norm(x.permute([0, 2, 3, 1]), [8], None, None)",
    // Windows and back, as in a transformer.
    "x = x.permute([0, 2, 3, 1])\n"
    "w = x.view([n, 2, 4, 2, 4, 8]).permute([0, 1, 3, 2, 4, 5])"
    ".reshape([4 * n, 16, 8])\n"
    "a = torch.softmax(torch.matmul(w, w.transpose(1, 2)), 2)\n"
    "w = torch.bmm(a, w).view([n, 2, 2, 4, 4, 8])\n"
    "x = w.permute([0, 1, 3, 2, 4, 5]).reshape([n, 8, 8, 8])",
    // The same with windows shifted there and back.
    "x = torch.roll(x.permute([0, 2, 3, 1]), [-2, -2], [1, 2])\n"
    "w = x.view([n, 2, 4, 2, 4, 8]).transpose(2, 3).reshape([4 * n, 16, 8])\n"
    "w = w.view([n, 2, 2, 4, 4, 8]).transpose(2, 3).reshape([n, 8, 8, 8])\n"
    "x = torch.roll(w, [2, 2], [1, 2])",
};

TEST_P(LayerAxesTest, ChannelsLastIsToldByTheOperatorsAndTurned) {
  for (const std::string& way : kWays) {
    SCOPED_TRACE(way);
    const auto model = Load(ChannelsLastNet(way));
    for (const std::string name : {"mixed", "act"}) {
      const LayerInfo& layer = **model->FindLayer(name);
      EXPECT_EQ(layer.no_maps_because, "");
      EXPECT_THAT(layer.shape, ElementsAre(8, 8, 8));
    }
  }
}

TEST_P(LayerAxesTest, TurnedValuesAreThoseOfTheReference) {
  const TinyModule net = ChannelsLastNet("x = x.permute([0, 2, 3, 1])");
  const auto model = Load(net);
  const at::Tensor x = Leaf(kImages());
  const at::Tensor mixed = ApplyLinear(
      net, "mixed", ApplyConv(net, "stem", x).permute({0, 2, 3, 1}));
  const at::Tensor logits =
      ApplyLinear(net, "fc", at::gelu(mixed).mean({1, 2}));
  const at::Tensor gradient = Gradients(EachScore(logits), {mixed})[0];
  const ProbeResult result =
      model->Run(EachImage(kImages(), 5, {"mixed"})).value();
  EXPECT_TRUE(RowsClose(result.records[0].activation,
                        mixed.detach().permute({0, 3, 1, 2}), kSameOperators));
  EXPECT_TRUE(RowsClose(result.records[0].gradient,
                        gradient.permute({0, 3, 1, 2}), kSameOperators));
}

TEST_P(LayerAxesTest, NeighboursSideBySideAsChannelsKeepTheirCells) {
  const auto model =
      Load(Net({{"stem", Conv(3, 8)},
                {"norm", Function("LayerNorm",
                                  "torch.layer_norm(x, [32], None, "
                                  "None)")},
                {"reduction", Linear(32, 4)},
                {"fc", Linear(4, 5)}},
               R"(x = self.stem.forward(x).permute([0, 2, 3, 1])
             a = x[:, 0::2, 0::2, :]
             b = x[:, 1::2, 0::2, :]
             c = x[:, 0::2, 1::2, :]
             d = x[:, 1::2, 1::2, :]
             x = self.norm.forward(torch.cat([a, b, c, d], -1))
             x = self.reduction.forward(x)
             return self.fc.forward(torch.mean(x, [1, 2])))"));
  EXPECT_THAT((*model->FindLayer("norm"))->shape, ElementsAre(32, 4, 4));
  EXPECT_THAT((*model->FindLayer("reduction"))->shape, ElementsAre(4, 4, 4));
  EXPECT_TRUE((*model->FindLayer("reduction"))->spatial());
}

// [n,2,16,16] of 16 tokens with two heads: no image has such rows.
TEST_P(LayerAxesTest, AttentionMatricesAndTokensAreNoLayers) {
  const auto model =
      Load(Net({{"stem", Conv(3, 8, {.stride = {2, 2}})},
                {"drop", Function("Dropout", "torch.mul(x, 1.0)")},
                {"norm", Function("LayerNorm",
                                  "torch.layer_norm(x, [8], None, "
                                  "None)")},
                {"fc", Linear(8, 5)}},
               R"(x = self.stem.forward(x)
             n = x.size(0)
             t = self.norm.forward(torch.flatten(x, 2).transpose(1, 2))
             h = t.view([n, 16, 2, 4]).permute([0, 2, 1, 3])
             a = torch.softmax(torch.matmul(h, h.transpose(2, 3)), 3)
             a = self.drop.forward(a)
             t = torch.matmul(a, h).transpose(1, 2).reshape([n, 16, 8])
             return self.fc.forward(torch.mean(t, [1])))"));
  const LayerInfo& attention = **model->FindLayer("drop");
  EXPECT_THAT(attention.shape, ElementsAre(2, 16, 16));
  EXPECT_FALSE(attention.spatial());
  EXPECT_THAT(attention.no_maps_because, HasSubstr("lie along one axis"));
  const LayerInfo& tokens = **model->FindLayer("norm");
  EXPECT_FALSE(tokens.spatial());
  EXPECT_THAT(tokens.no_maps_because, HasSubstr("[16,8] is that of tokens"));
  EXPECT_TRUE((*model->FindLayer("stem"))->spatial());
}

// Re-attention: a convolution over heads makes no image of it.
TEST_P(LayerAxesTest, AConvolutionOverHeadsMakesNoLayer) {
  const auto model =
      Load(Net({{"stem", Conv(3, 8, {.stride = {2, 2}})},
                {"heads", Conv(2, 2, {.kernel = {1, 1}, .padding = "[0, 0]"})},
                {"norm", BatchNorm(2)},
                {"fc", Linear(8, 5)}},
               R"(x = self.stem.forward(x)
             n = x.size(0)
             h = torch.flatten(x, 2).view([n, 2, 4, 16]).transpose(2, 3)
             a = torch.softmax(torch.matmul(h, h.transpose(2, 3)), 3)
             a = self.norm.forward(self.heads.forward(a))
             t = torch.matmul(a, h).transpose(1, 2).reshape([n, 16, 8])
             return self.fc.forward(torch.mean(t, [1])))"));
  EXPECT_FALSE((*model->FindLayer("heads"))->spatial());
  EXPECT_FALSE((*model->FindLayer("norm"))->spatial());
}

TEST_P(LayerAxesTest, ARolledGridIsRefused) {
  const auto model =
      Load(Net({{"stem", Conv(3, 4)},
                {"shift", Function("Shift", "torch.roll(x, 3, 2)")},
                {"fc", Linear(4, 5)}},
               R"(x = self.shift.forward(self.stem.forward(x))
                  return self.fc.forward(torch.mean(x, [2, 3])))"));
  EXPECT_THAT((*model->FindLayer("shift"))->no_maps_because,
              HasSubstr("rolled"));
}

// Views of an image, one after the other: a map of the second call would lie
// mirrored on the image.
TEST_P(LayerAxesTest, LayersOfAMirroredImageAreRefusedUntilItIsMirroredBack) {
  for (const auto& [view, back] :
       std::vector<std::pair<std::string, std::string>>{
           {"torch.flip(x, [3])", "torch.flip(x, [3])"},
           {"torch.rot90(x, 1, [2, 3])", "torch.rot90(x, 3, [2, 3])"},
           {"torch.roll(x, 4, 2)", "torch.roll(x, -2, 2)"},
           {"torch.roll(x, 2, 3)", "torch.roll(x, -1, 3)"}}) {
    SCOPED_TRACE(view);
    const auto model =
        Load(Net({{"stem", Conv(3, 4, {.stride = {2, 2}})},
                  {"relu", Relu()},
                  {"back", Function("Back", back)},
                  {"fc", Linear(4, 5)}},
                 "a = self.relu.forward(self.stem.forward(x))\n"
                 "b = self.relu.forward(self.stem.forward(" +
                     view +
                     "))\n"
                     "y = torch.mean(a + self.back.forward(b), [2, 3])\n"
                     "return self.fc.forward(y)"));
    for (const std::string name : {"stem", "relu", "back"}) {
      EXPECT_EQ((*model->FindLayer(name))->no_maps_because, "") << name;
    }
    for (const std::string name : {"stem#2", "relu#2"}) {
      EXPECT_THAT((*model->FindLayer(name))->no_maps_because,
                  HasSubstr("another order than the image's"))
          << name;
    }
  }
}

// The same network on a crop: stretched over the image, its maps would lie
// where the crop was not.
TEST_P(LayerAxesTest, LayersOfACropAndOfFrequenciesAreRefused) {
  for (const std::string part :
       {"x[:, :, 0:4, 0:4]", "x[:, :, 2:6, :].contiguous()",
        "x[:, :, :, 4:8] * 0.5", "torch.fft_rfft2(x)[:, :, :, 0:4].abs()"}) {
    SCOPED_TRACE(part);
    const auto model =
        Load(Net({{"stem", Conv(3, 4)}, {"relu", Relu()}, {"fc", Linear(4, 5)}},
                 "a = self.relu.forward(self.stem.forward(x))\n"
                 "b = self.relu.forward(self.stem.forward(" +
                     part +
                     "))\n"
                     "y = torch.mean(a, [2, 3]) + torch.mean(b, [2, 3])\n"
                     "return self.fc.forward(y)"));
    EXPECT_EQ((*model->FindLayer("relu"))->no_maps_because, "");
    for (const std::string name : {"stem#2", "relu#2"}) {
      EXPECT_THAT((*model->FindLayer(name))->no_maps_because,
                  HasSubstr("of a crop of the image, or frequencies"))
          << name;
    }
  }
  const auto trimmed = Load(Net({{"stem", Conv(3, 4)}, {"fc", Linear(4, 5)}},
                                R"(y = self.stem.forward(x[:, :, 1:, :-1])
             return self.fc.forward(torch.mean(y, [2, 3])))"));
  EXPECT_EQ((*trimmed->FindLayer("stem"))->no_maps_because, "");
}

TEST_P(LayerAxesTest, PaddingInCirclesIsNoOtherOrder) {
  const auto model =
      Load(Net({{"stem", Conv(3, 4, {.kernel = {7, 7}, .padding = "[0, 0]"})},
                {"next", Conv(4, 4, {.padding = "[0, 0]"})},
                {"fc", Linear(4, 5)}},
               R"(y = torch.pad(x, [3, 3, 3, 3], "circular")
             y = torch.relu(self.stem.forward(y))
             y = self.next.forward(torch.pad(y, [1, 1, 1, 1], "circular"))
             return self.fc.forward(torch.mean(y, [2, 3])))"));
  EXPECT_EQ((*model->FindLayer("stem"))->no_maps_because, "");
  EXPECT_EQ((*model->FindLayer("next"))->no_maps_because, "");
}

TEST_P(LayerAxesTest, WhatNoOperatorTellsIsRefusedUnlessAConvolutionTakesIt) {
  const std::string body =
      "x = self.stem.forward(x)\n"
      "x = self.gate.forward(torch.einsum(\"nchw,nkhw->nckh\", [x, x]))";
  const auto refused = Load(Net(
      {{"stem", Conv(3, 8)}, {"gate", Function("Gate", "torch.sigmoid(x)")}},
      body + "\nreturn torch.mean(x, [2, 3])"));
  EXPECT_THAT((*refused->FindLayer("gate"))->no_maps_because,
              HasSubstr("cannot be told"));
  const auto told =
      Load(Net({{"stem", Conv(3, 8)},
                {"gate", Function("Gate", "torch.sigmoid(x)")},
                {"next", Conv(8, 5)}},
               body + "\nreturn torch.mean(self.next.forward(x), [2, 3])"));
  EXPECT_EQ((*told->FindLayer("gate"))->no_maps_because, "");
}

TEST_P(LayerAxesTest, GatesConcatenationsAndShufflesKeepTheGrid) {
  const auto model = Load(Net(
      {{"stem", Conv(3, 8)},
       {"squeeze", Function("Pool", "torch.adaptive_avg_pool2d(x, [1, 1])")},
       {"excite", Conv(8, 8, {.kernel = {1, 1}, .padding = "[0, 0]"})},
       {"gated", Function("Mul", "torch.mul(x, 2.0)")},
       {"padded", Function("Pad",
                           "torch.constant_pad_nd(x, [1, 1, 1, 1], "
                           "0.)")},
       {"shuffle",
        Function("Shuffle",
                 "x.view([x.size(0), 2, 8, x.size(2), x.size(3)])"
                 ".transpose(1, 2).reshape([x.size(0), 16, x.size(2), "
                 "x.size(3)])")},
       {"fc", Linear(16, 5)}},
      R"(x = self.stem.forward(x)
             s = torch.sigmoid(self.excite.forward(self.squeeze.forward(x)))
             x = self.gated.forward(x * s)
             x = self.padded.forward(x)
             x = self.shuffle.forward(torch.cat([x, x], 1))
             return self.fc.forward(torch.mean(x, [2, 3])))"));
  for (const LayerInfo& layer : model->layers()) {
    if (layer.name == "fc") continue;
    EXPECT_EQ(layer.no_maps_because, "") << layer.name;
  }
  EXPECT_THAT((*model->FindLayer("shuffle"))->shape, ElementsAre(16, 10, 10));
}

}  // namespace
}  // namespace saliency::layer_axes_test
