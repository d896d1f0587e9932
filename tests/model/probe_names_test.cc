// What a layer is called, and which value a name stands for.

#include <ATen/ATen.h>
#include <torch/script.h>

#include "gmock/gmock.h"
#include "tests/model/model_fixture.h"
#include "tests/support/tensor_close.h"

namespace saliency::probe_names_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class ProbeNamesTest : public ModelTest {};
SALIENCY_INSTANTIATE_DEVICES(ProbeNamesTest);

TEST_P(ProbeNamesTest, ModulesHaveTheirDottedPathsInTheOrderOfTheGraph) {
  const auto model = Load(ResidualNet());
  EXPECT_THAT(
      LayerNames(*model),
      ElementsAre("input", "conv1", "bn1", "relu", "block.conv", "block.bn",
                  "block.relu", "block", "tail.0", "tail.1", "tail", "fc"));
  std::vector<std::string> kinds;
  for (const LayerInfo& layer : model->layers()) kinds.push_back(layer.kind);
  EXPECT_THAT(kinds, ElementsAre("input", "Conv2d", "BatchNorm2d", "ReLU",
                                 "Conv2d", "BatchNorm2d", "ReLU", "Block",
                                 "Conv2d", "ReLU", "Sequential", "Linear"));
  EXPECT_THAT((*model->FindLayer("tail"))->shape, ElementsAre(6, 4, 4));
  EXPECT_THAT((*model->FindLayer("fc"))->shape, ElementsAre(5));
  EXPECT_FALSE((*model->FindLayer("fc"))->spatial());
  EXPECT_EQ(model->num_classes(), 5);
  EXPECT_EQ(model->device(), GetParam());
}

TEST_P(ProbeNamesTest, RepeatedCallsOfAModuleAreNumbered) {
  const TinyModule net =
      Net({{"a", Conv(3, 4)}, {"b", Conv(4, 4)}, {"relu", Relu()}},
          R"(x = self.relu.forward(self.a.forward(x))
             x = self.relu.forward(self.b.forward(x))
             x = self.relu.forward(x - 0.2)
             return torch.mean(x, [2, 3]))");
  const auto model = Load(net);
  EXPECT_THAT(LayerNames(*model),
              ElementsAre("input", "a", "relu", "b", "relu#2", "relu#3"));
  const at::Tensor images = Images(2);
  const at::Tensor x = Leaf(images);
  LayerValues v;
  v["input"] = x;
  v["relu"] = at::relu(ApplyConv(net, "a", x));
  v["relu#2"] = at::relu(ApplyConv(net, "b", v["relu"]));
  v["relu#3"] = at::relu(v["relu#2"] - 0.2);
  v["logits"] = v["relu#3"].mean({2, 3});
  ExpectReference(*model, images, v);
}

TEST_P(ProbeNamesTest, SecondMethodsOfTracedModelsAreFurtherCalls) {
  TinyModule relu = Relu();
  relu.code += "def forward1(self, x):\n  return torch.relu(x - 0.3)\n";
  const TinyModule net = Net({{"conv", Conv(3, 4)}, {"relu", relu}},
                             R"(x = self.relu.forward(self.conv.forward(x))
             x = self.relu.forward1(x)
             return torch.mean(x, [2, 3]))");
  const auto model = Load(net);
  EXPECT_THAT(LayerNames(*model),
              ElementsAre("input", "conv", "relu", "relu#2"));
  const at::Tensor images = Images(2);
  LayerValues v;
  v["conv"] = ApplyConv(net, "conv", Leaf(images));
  v["relu"] = at::relu(v["conv"]);
  v["relu#2"] = at::relu(v["relu"] - 0.3);
  v["logits"] = v["relu#2"].mean({2, 3});
  ExpectReference(*model, images, v);
}

TEST_P(ProbeNamesTest, MethodsThatAreNotForwardHaveNoNameButTheirCallsDo) {
  TinyModule part = Sequential({Conv(3, 4)});
  part.code +=
      "def encode(self, x):\n  return getattr(self, \"0\").forward(x)\n";
  const auto model =
      Load(Net({{"part", part}}, R"(x = torch.relu(self.part.encode(x))
                                    return torch.mean(x, [2, 3]))"));
  EXPECT_THAT(LayerNames(*model), ElementsAre("input", "part.0"));
}

TEST_P(ProbeNamesTest, CallsInBranchesNeverTakenAreNotCounted) {
  TinyModule net = Net({{"conv", Conv(3, 3)}},
                       R"(if self.skip:
                            x = x + self.conv.forward(x)
                          else:
                            x = self.conv.forward(x)
                          return torch.mean(x, [2, 3]))");
  for (const bool skip : {false, true}) {
    SCOPED_TRACE(skip);
    net.attributes["skip"] = skip;
    const auto model = Load(net);
    EXPECT_THAT(LayerNames(*model), ElementsAre("input", "conv"));
    const at::Tensor images = Images(2);
    const at::Tensor x = Leaf(images);
    LayerValues v;
    v["input"] = x;
    v["conv"] = ApplyConv(net, "conv", x);
    v["logits"] = (skip ? x + v["conv"] : v["conv"]).mean({2, 3});
    ExpectReference(*model, images, v);
  }
}

TEST_P(ProbeNamesTest, PartsOfATupleAreProbedByTheirPosition) {
  const TinyModule split =
      Function("Split", "(x * 2., x.size(1), torch.relu(x))");
  const TinyModule net =
      Net({{"split", split}}, R"(a, n, b = self.split.forward(x)
                                 c, m, d = self.split.forward(b)
                                 return torch.mean(a * b + c * d, [2, 3]))");
  const auto model = Load(net);
  EXPECT_THAT(LayerNames(*model), ElementsAre("input", "split:0", "split:2",
                                              "split#2:0", "split#2:2"));
  const at::Tensor images = Images(2);
  LayerValues v;
  const at::Tensor x = Leaf(images);
  v["split:0"] = x * 2;
  v["split:2"] = at::relu(x);
  v["split#2:0"] = v["split:2"] * 2;
  v["split#2:2"] = at::relu(v["split:2"]);
  v["logits"] = (v["split:0"] * v["split:2"] + v["split#2:0"] * v["split#2:2"])
                    .mean({2, 3});
  ExpectReference(*model, images, v);
}

TEST_P(ProbeNamesTest, CallsOfAModuleInALoopAreNumbered) {
  const TinyModule net = Net({{"first", Conv(3, 4)}, {"step", Conv(4, 4)}},
                             R"(x = self.first.forward(x)
                                for i in range(3):
                                  x = torch.tanh(self.step.forward(x))
                                return torch.mean(x, [2, 3]))");
  const auto model = Load(net);
  EXPECT_THAT(LayerNames(*model),
              ElementsAre("input", "first", "step", "step#2", "step#3"));
  const at::Tensor images = Images(2);
  LayerValues v;
  v["first"] = ApplyConv(net, "first", Leaf(images));
  at::Tensor x = v["first"];
  for (const char* step : {"step", "step#2", "step#3"}) {
    v[step] = ApplyConv(net, "step", x);
    x = at::tanh(v[step]);
  }
  v["logits"] = x.mean({2, 3});
  ExpectReference(*model, images, v);
}

TEST_P(ProbeNamesTest, LayersInsideABlockAreListedInTheOrderOfTheGraph) {
  const TinyModule net =
      Net({{"z", Conv(3, 3)}, {"y", Conv(3, 3)}, {"a", Conv(3, 3)}},
          R"(for i in range(int(x.size(3) / 4)):
               x = self.y.forward(self.z.forward(x))
             return torch.mean(self.a.forward(x), [2, 3]))");
  EXPECT_THAT(LayerNames(*Load(net)), ElementsAre("input", "z", "y", "a"));
}

TEST_P(ProbeNamesTest, ModuleWhoseResultIsNotUsedIsNotOffered) {
  const auto model = Load(Net({{"main", Conv(3, 4)}, {"auxiliary", Conv(3, 4)}},
                              R"(unused = self.auxiliary.forward(x)
                  return torch.mean(self.main.forward(x), [2, 3]))"));
  EXPECT_THAT(LayerNames(*model), ElementsAre("input", "main"));
}

TEST_P(ProbeNamesTest, ConvolutionsAndBatchNormsOfferTheirInputs) {
  const TinyModule net = ResidualNet();
  const auto model = Load(net);
  const at::Tensor images = Images(2);
  const LayerValues v = ResidualValues(net, Leaf(images));
  const std::pair<const char*, const char*> inputs[] = {
      {"conv1", "input"},
      {"bn1", "conv1"},
      {"block.conv", "relu"},
      {"tail.0", "block"},
      {"block.bn", "block.conv"}};
  for (const auto& [layer, source] : inputs) {
    SCOPED_TRACE(layer);
    ProbeRequest request = EachImage(images, 5, {});
    request.probes = {{layer, Probe::Side::kInput}, {layer}};
    const ProbeResult result = model->Run(request).value();
    EXPECT_TRUE(
        RowsClose(result.records[0].activation, v.at(source), kSameOperators));
    EXPECT_TRUE(
        RowsClose(result.records[1].activation, v.at(layer), kSameOperators));
    // Only what the layer itself takes counts: not the shortcut around it.
    const std::vector<at::Tensor> gradients = Gradients(
        (v.at(layer) * Gradients(EachScore(v.at("logits")), {v.at(layer)})[0])
            .sum(),
        {v.at(source)});
    EXPECT_TRUE(
        RowsClose(result.records[0].gradient, gradients[0], kSameOperators));
  }
}

TEST_P(ProbeNamesTest, UnknownLayerIsNotFoundWithTheThreeNearestNames) {
  const auto model = Load(ResidualNet());
  const absl::Status status = model->FindLayer("block.con").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(std::string(status.message()),
            "layer \"block.con\" not found; nearest: \"block.conv\", "
            "\"block.bn\", \"block.relu\"");
  ProbeRequest request = EachImage(Images(1), 5, {"block.con"});
  EXPECT_EQ(model->Run(request).status(), status);
  request.probes = {{"relu", Probe::Side::kInput}};
  const absl::Status input = model->Run(request).status();
  EXPECT_EQ(input.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(input.message()),
              HasSubstr("convolution or batch norm \"relu\" not found"));
  EXPECT_THAT(std::string(input.message()), Not(HasSubstr("\"block\"")));
}

TEST_P(ProbeNamesTest, FrozenModelWithoutModulePathsOffersTheInputOnly) {
  const TinyModule net = ResidualNet();
  torch::jit::Module module = Build(net);
  module.eval();
  const ModelFile file(torch::jit::freeze(module));
  LoadOptions options;
  options.device = GetParam();
  options.input_height = options.input_width = 8;
  const auto model = ProbedModel::Load(file.path(), options).value();
  EXPECT_THAT(LayerNames(*model), ElementsAre("input"));
  EXPECT_FALSE(model->linear_head().has_value());
  const at::Tensor images = Images(3);
  const LayerValues v = ResidualValues(net, Leaf(images));
  ExpectReference(*model, images,
                  {{"input", v.at("input")}, {"logits", v.at("logits")}});
}

}  // namespace
}  // namespace saliency::probe_names_test
