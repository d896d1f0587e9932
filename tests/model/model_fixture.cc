#include "tests/model/model_fixture.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/script.h>

#include "tests/support/tensor_close.h"

namespace saliency {

void ModelTest::SetUp() {
  DeviceTest::SetUp();
  torch::manual_seed(20200616);
}

std::unique_ptr<ProbedModel> ModelTest::Load(const TinyModule& tiny,
                                             LoadOptions options) const {
  const ModelFile file(tiny);
  options.device = GetParam();
  if (options.input_height == LoadOptions().input_height) {
    options.input_height = options.input_width = 8;
  }
  return ProbedModel::Load(file.path(), options).value();
}

at::Tensor ModelTest::Images(int64_t count) {
  return at::randn({count, 3, 8, 8});
}

at::Tensor ModelTest::Leaf(const at::Tensor& images) const {
  return images.detach().clone().to(device()).requires_grad_(true);
}

std::vector<std::string> LayerNames(const ProbedModel& model) {
  std::vector<std::string> names;
  for (const LayerInfo& layer : model.layers()) names.push_back(layer.name);
  return names;
}

ProbeRequest EachImage(const at::Tensor& images, int64_t classes,
                       const std::vector<std::string>& layers) {
  ProbeRequest request;
  request.input = images;
  for (int64_t p = 0; p < images.size(0); ++p) {
    request.rows.push_back({p, ClassIndex{p % classes}});
  }
  for (const std::string& layer : layers) request.probes.push_back({layer});
  return request;
}

at::Tensor EachScore(const at::Tensor& logits) {
  const at::Tensor classes =
      at::arange(logits.size(0), at::kLong).remainder(logits.size(1));
  return logits.gather(1, classes.to(logits.device()).unsqueeze(1)).sum();
}

std::vector<at::Tensor> Gradients(const at::Tensor& score,
                                  const std::vector<at::Tensor>& values) {
  std::vector<at::Tensor> gradients =
      torch::autograd::grad({score}, values, /*grad_outputs=*/{},
                            /*retain_graph=*/true, /*create_graph=*/false,
                            /*allow_unused=*/true);
  for (size_t i = 0; i < values.size(); ++i) {
    if (!gradients[i].defined()) gradients[i] = at::zeros_like(values[i]);
  }
  return gradients;
}

void ExpectReference(ProbedModel& model, const at::Tensor& images,
                     const LayerValues& values) {
  std::vector<std::string> layers;
  std::vector<at::Tensor> activations;
  for (const auto& [layer, value] : values) {
    if (layer == "logits") continue;
    layers.push_back(layer);
    activations.push_back(value);
  }
  const at::Tensor& logits = values.at("logits");
  const std::vector<at::Tensor> gradients =
      Gradients(EachScore(logits), activations);
  const ProbeResult result =
      model.Run(EachImage(images, logits.size(1), layers)).value();
  EXPECT_TRUE(RowsClose(result.logits, logits, kSameOperators));
  ASSERT_EQ(result.records.size(), layers.size());
  for (size_t i = 0; i < layers.size(); ++i) {
    SCOPED_TRACE(layers[i]);
    EXPECT_TRUE(RowsClose(result.records[i].activation, activations[i],
                          kSameOperators));
    EXPECT_TRUE(
        RowsClose(result.records[i].gradient, gradients[i], kSameOperators));
  }
}

at::Tensor ApplyConv(const TinyModule& net, const std::string& path,
                     const at::Tensor& x, int64_t stride) {
  return at::conv2d(x, net.At(path + ".weight").to(x.device()),
                    net.At(path + ".bias").to(x.device()), stride,
                    /*padding=*/1);
}

at::Tensor ApplyLinear(const TinyModule& net, const std::string& path,
                       const at::Tensor& x) {
  return at::linear(x, net.At(path + ".weight").to(x.device()),
                    net.At(path + ".bias").to(x.device()));
}

TinyModule ResidualNet() {
  TinyModule block =
      Net({{"conv", Conv(4, 4)}, {"bn", BatchNorm(4)}, {"relu", InPlaceRelu()}},
          R"(identity = x
         out = self.bn.forward(self.conv.forward(x))
         out += identity
         return self.relu.forward(out))");
  block.kind = "Block";
  return Net({{"conv1", Conv(3, 4)},
              {"bn1", BatchNorm(4)},
              {"relu", InPlaceRelu()},
              {"block", block},
              {"tail", Sequential({Conv(4, 6, {.stride = {2, 2}}), Relu()})},
              {"fc", Linear(6, 5)}},
             R"(x = self.bn1.forward(self.conv1.forward(x))
                x = self.block.forward(self.relu.forward(x))
                x = torch.mean(self.tail.forward(x), [2, 3], True)
                return self.fc.forward(torch.flatten(x, 1)))");
}

LayerValues ResidualValues(const TinyModule& net, const at::Tensor& x) {
  const auto norm = [&](const std::string& path, const at::Tensor& y) {
    const auto part = [&](const char* name) {
      return net.At(path + "." + name).to(y.device());
    };
    return at::batch_norm(y, part("weight"), part("bias"), part("running_mean"),
                          part("running_var"), /*training=*/false, 0.1, 1e-3,
                          /*cudnn_enabled=*/true);
  };
  LayerValues v;
  v["input"] = x;
  v["conv1"] = ApplyConv(net, "conv1", x);
  v["bn1"] = norm("bn1", v["conv1"]);
  v["relu"] = at::relu(v["bn1"]);
  v["block.conv"] = ApplyConv(net, "block.conv", v["relu"]);
  v["block.bn"] = norm("block.bn", v["block.conv"]);
  v["block.relu"] = v["block"] = at::relu(v["block.bn"] + v["relu"]);
  v["tail.0"] = ApplyConv(net, "tail.0", v["block"], /*stride=*/2);
  v["tail.1"] = v["tail"] = at::relu(v["tail.0"]);
  v["fc"] = ApplyLinear(net, "fc", v["tail"].mean({2, 3}));
  v["logits"] = v["fc"];
  return v;
}

}  // namespace saliency
