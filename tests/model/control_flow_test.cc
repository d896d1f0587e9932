// Networks that branch, loop, join and return more than one thing.

#include <ATen/ATen.h>

#include <cmath>

#include "gmock/gmock.h"
#include "tests/model/model_fixture.h"
#include "tests/support/tensor_close.h"

namespace saliency::control_flow_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ControlFlowTest : public ModelTest {
 protected:
  // Every row of a batch is what its image gives alone.
  static void ExpectRowsAreSingles(ProbedModel& model, const at::Tensor& images,
                                   const std::string& layer) {
    const ProbeRequest request = EachImage(images, 3, {layer});
    const ProbeResult batch = model.Run(request).value();
    for (int64_t p = 0; p < images.size(0); ++p) {
      SCOPED_TRACE(p);
      ProbeRequest single = request;
      single.input = images.slice(0, p, p + 1);
      single.rows = {request.rows[p]};
      single.rows[0].image = 0;
      const ProbeResult alone = model.Run(single).value();
      EXPECT_TRUE(RowsClose(batch.logits.slice(0, p, p + 1), alone.logits,
                            kOtherBatch));
      EXPECT_TRUE(RowsClose(batch.records[0].gradient.slice(0, p, p + 1),
                            alone.records[0].gradient, kOtherBatch));
    }
  }
};
SALIENCY_INSTANTIATE_DEVICES(ControlFlowTest);

TEST_P(ControlFlowTest, BranchOnAnAttributeVanishes) {
  TinyModule relu = Function("ReLU", "");
  relu.code =
      "def forward(self, x):\n"
      "  if self.inplace:\n"
      "    y = torch.relu_(x)\n"
      "  else:\n"
      "    y = torch.relu(x)\n"
      "  return y\n";
  for (const bool inplace : {false, true}) {
    SCOPED_TRACE(inplace);
    relu.attributes["inplace"] = inplace;
    const TinyModule net = Net({{"conv", Conv(3, 3)}, {"relu", relu}},
                               R"(x = self.relu.forward(self.conv.forward(x))
               return torch.mean(x, [2, 3]))");
    const auto model = Load(net);
    const at::Tensor images = Images(2);
    LayerValues v;
    v["conv"] = ApplyConv(net, "conv", Leaf(images));
    v["relu"] = at::relu(v["conv"]);
    v["logits"] = v["relu"].mean({2, 3});
    ExpectReference(*model, images, v);
    // A value from inside an If would be none.
    EXPECT_TRUE((*model->FindLayer("relu"))->is_cut);
  }
}

// Bright images go one way, dark ones the other.
TinyModule DataDependentNet() {
  return Net({{"bright", Conv(3, 3)}, {"dark", Conv(3, 3)}},
             R"(if bool(torch.mean(x) > 0.):
                  y = self.bright.forward(x)
                else:
                  y = self.dark.forward(x)
                return torch.mean(torch.tanh(y), [2, 3]))");
}

TEST_P(ControlFlowTest, BranchOnDataRecordsTheLayerThatRan) {
  const TinyModule net = DataDependentNet();
  const auto model = Load(net);
  for (const bool bright : {true, false}) {
    SCOPED_TRACE(bright);
    const at::Tensor images = Images(1) + (bright ? 1 : -1);
    const std::string taken = bright ? "bright" : "dark";
    LayerValues v;
    v["input"] = Leaf(images);
    v[taken] = ApplyConv(net, taken, v["input"]);
    v["logits"] = at::tanh(v[taken]).mean({2, 3});
    ExpectReference(*model, images, v);
    const std::string other = bright ? "dark" : "bright";
    const ProbeResult both =
        model->Run(EachImage(images, 3, {taken, other})).value();
    EXPECT_TRUE(both.records[0].missed.empty());
    EXPECT_THAT(both.records[1].missed, ElementsAre(true));
    EXPECT_FALSE(both.records[1].activation.defined());
    EXPECT_THAT((*model->FindLayer(other))->note,
                HasSubstr("not every pass comes by it"));
    EXPECT_FALSE((*model->FindLayer(other))->in_every_pass);
    // Whichever way the image went that shapes were measured with.
    EXPECT_TRUE((*model->FindLayer(other))->spatial());
  }
}

TEST_P(ControlFlowTest, RowsThatMissALayerLeaveTheOthersTheirMaps) {
  const auto model = Load(DataDependentNet());
  const at::Tensor shift = at::tensor({1.F, -2.F, 3.F}).view({3, 1, 1, 1});
  const at::Tensor images = Images(3) + shift;
  const ProbeResult batch =
      model->Run(EachImage(images, 3, {"bright", "dark"})).value();
  EXPECT_THAT(batch.records[0].missed, ElementsAre(false, true, false));
  EXPECT_THAT(batch.records[1].missed, ElementsAre(true, false, true));
  for (const int64_t p : {0, 1, 2}) {
    const ProbeResult alone = model
                                  ->Run({images.slice(0, p, p + 1),
                                         {{0, ClassIndex{p}}},
                                         {{p == 1 ? "dark" : "bright"}},
                                         {}})
                                  .value();
    const ProbeResult::Record& record = batch.records[p == 1 ? 1 : 0];
    EXPECT_TRUE(Identical(record.activation.slice(0, p, p + 1),
                          alone.records[0].activation));
    EXPECT_TRUE(Identical(record.gradient.slice(0, p, p + 1),
                          alone.records[0].gradient));
  }
}

TEST_P(ControlFlowTest, BranchOnDataIsTakenByEachImageOfABatch) {
  const auto model = Load(DataDependentNet());
  EXPECT_FALSE(model->self_check().rows_independent);
  const at::Tensor shift = at::tensor({1.F, -2.F, 3.F}).view({3, 1, 1, 1});
  ExpectRowsAreSingles(*model, Images(3) + shift, "input");
}

TEST_P(ControlFlowTest, LoopCountedByDataRunsAsOftenAsEachImageSays) {
  const TinyModule net = Net({{"first", Conv(3, 3)}, {"step", Conv(3, 3)}},
                             R"(n = int(torch.ceil(torch.mean(torch.abs(x))))
             x = self.first.forward(x)
             for i in range(n):
               x = torch.tanh(self.step.forward(x))
             return torch.mean(x, [2, 3]))");
  const auto model = Load(net);
  EXPECT_FALSE(model->self_check().rows_independent);
  const at::Tensor scale = at::tensor({1.F, 3.F, 5.F}).view({3, 1, 1, 1});
  const at::Tensor images = Images(3) * scale;
  ExpectRowsAreSingles(*model, images, "first");
  const at::Tensor single = images.slice(0, 2, 3);
  LayerValues v;
  v["first"] = ApplyConv(net, "first", Leaf(single));
  at::Tensor x = v["first"];
  const auto count =
      static_cast<int>(std::ceil(single.abs().mean().item<float>()));
  EXPECT_GT(count, 1);
  for (int i = 0; i < count; ++i) {
    const at::Tensor step = ApplyConv(net, "step", x);
    if (i == 0) v["step"] = step;  // a name means the first call
    x = at::tanh(step);
  }
  v["logits"] = x.mean({2, 3});
  ExpectReference(*model, single, v);
  EXPECT_THAT((*model->FindLayer("step"))->note,
              HasSubstr("the first of its calls in a loop"));
}

TEST_P(ControlFlowTest, BranchOnTheSizeLeavesRowsIndependent) {
  const TinyModule net = Net({{"wide", Conv(3, 3)}, {"small", Conv(3, 3)}},
                             R"(if x.size(3) > 100:
                                  x = self.wide.forward(x)
                                else:
                                  x = self.small.forward(x)
                                return torch.mean(x, [2, 3]))");
  const auto model = Load(net);
  EXPECT_TRUE(model->self_check().rows_independent);
  EXPECT_TRUE((*model->FindLayer("wide"))->shape.empty());
  EXPECT_THAT((*model->FindLayer("small"))->shape, ElementsAre(3, 8, 8));
  const at::Tensor images = Images(3);
  LayerValues v;
  v["small"] = ApplyConv(net, "small", Leaf(images));
  v["logits"] = v["small"].mean({2, 3});
  ExpectReference(*model, images, v);
}

TEST_P(ControlFlowTest, BranchInsideALoop) {
  const TinyModule net = Net({{"even", Conv(3, 3)}, {"odd", Conv(3, 3)}},
                             R"(for i in range(4):
                                  if i % 2 == 0:
                                    x = torch.tanh(self.even.forward(x))
                                  else:
                                    x = self.odd.forward(x) + x
                                return torch.mean(x, [2, 3]))");
  const auto model = Load(net);
  const at::Tensor images = Images(2);
  LayerValues v;
  at::Tensor x = Leaf(images);
  v["input"] = x;
  for (const char* call : {"", "#2"}) {
    const std::string even = std::string("even") + call;
    const std::string odd = std::string("odd") + call;
    v[even] = ApplyConv(net, "even", x);
    x = at::tanh(v[even]);
    v[odd] = ApplyConv(net, "odd", x);
    x = v[odd] + x;
  }
  EXPECT_THAT(LayerNames(*model),
              ElementsAre("input", "even", "odd", "even#2", "odd#2"));
  v["logits"] = x.mean({2, 3});
  ExpectReference(*model, images, v);
}

TEST_P(ControlFlowTest, WhileLoop) {
  const TinyModule net = Net({{"step", Conv(3, 3, {.stride = {2, 2}})}},
                             R"(while x.size(2) > 2:
                                  x = torch.relu(self.step.forward(x))
                                return torch.mean(x, [2, 3]))");
  const auto model = Load(net);
  EXPECT_TRUE(model->self_check().rows_independent);
  const at::Tensor images = Images(2);
  LayerValues v;
  at::Tensor x = Leaf(images);
  v["input"] = x;
  while (x.size(2) > 2) {
    const at::Tensor step = ApplyConv(net, "step", x, /*stride=*/2);
    v.emplace("step", step);  // the first
    x = at::relu(step);
  }
  v["logits"] = x.mean({2, 3});
  ExpectReference(*model, images, v);
}

TEST_P(ControlFlowTest, ConcatenationsAndSumsOfBranches) {
  const TinyModule net =
      Net({{"a", Conv(3, 2)}, {"b", Conv(3, 4)}, {"c", Conv(6, 6)}},
          R"(a = self.a.forward(x)
         b = torch.relu(self.b.forward(x))
         y = torch.cat([a, b], 1)
         y = y + self.c.forward(y)
         return torch.mean(torch.cat([y, x], 1), [2, 3]))");
  const auto model = Load(net);
  EXPECT_FALSE((*model->FindLayer("a"))->is_cut);
  EXPECT_FALSE((*model->FindLayer("c"))->is_cut);
  const at::Tensor images = Images(2);
  const at::Tensor x = Leaf(images);
  LayerValues v;
  v["input"] = x;
  v["a"] = ApplyConv(net, "a", x);
  v["b"] = ApplyConv(net, "b", x);
  const at::Tensor y = at::cat({v["a"], at::relu(v["b"])}, 1);
  v["c"] = ApplyConv(net, "c", y);
  v["logits"] = at::cat({y + v["c"], x}, 1).mean({2, 3});
  ExpectReference(*model, images, v);
}

TEST_P(ControlFlowTest, FunctionalActivationsBetweenLayers) {
  const TinyModule net =
      Net({{"a", Conv(3, 4)}, {"b", Conv(4, 4)}, {"c", Conv(4, 4)}},
          R"(x = torch.gelu(self.a.forward(x))
         x = torch.silu(self.b.forward(x)) * torch.sigmoid(x)
         x = torch.hardtanh(self.c.forward(x), 0., 6.)
         return torch.mean(torch.leaky_relu(x, 0.1), [2, 3]))");
  const auto model = Load(net);
  const at::Tensor images = Images(2);
  LayerValues v;
  v["a"] = ApplyConv(net, "a", Leaf(images));
  at::Tensor x = at::gelu(v["a"]);
  v["b"] = ApplyConv(net, "b", x);
  x = at::silu(v["b"]) * at::sigmoid(x);
  v["c"] = ApplyConv(net, "c", x);
  v["logits"] = at::leaky_relu(at::hardtanh(v["c"], 0, 6), 0.1).mean({2, 3});
  ExpectReference(*model, images, v);
}

TEST_P(ControlFlowTest, LayerThatTheScoreDoesNotDependOnHasGradientZero) {
  const auto model =
      Load(Net({{"main", Conv(3, 3)}, {"side", Conv(3, 3)}},
               R"(return (torch.mean(self.main.forward(x), [2, 3]),
                          torch.mean(self.side.forward(x), [2, 3])))"));
  const ProbeResult result =
      model->Run(EachImage(Images(2), 3, {"main", "side"})).value();
  EXPECT_GT(result.records[0].gradient.abs().max().item<float>(), 0);
  EXPECT_TRUE(Identical(result.records[1].gradient,
                        at::zeros_like(result.records[1].activation)));
}

}  // namespace
}  // namespace saliency::control_flow_test
