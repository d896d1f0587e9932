#include "tests/model/meta_nets.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/script.h>

#include <map>
#include <utility>

#include "absl/strings/str_join.h"
#include "tests/model/model_fixture.h"

namespace saliency {
namespace {

ConvSpec OneByOne(int64_t stride = 1) {
  return {.kernel = {1, 1}, .stride = {stride, stride}, .padding = "[0, 0]"};
}

// x weight + bias, as old traces write a linear layer.
TinyModule Product(int64_t in, int64_t out) {
  TinyModule product = Linear(in, out);
  product.kind = "Product";
  product.code =
      "def forward(self, x):\n"
      "  return torch.add(torch.matmul(x, self.weight), self.bias)\n";
  product.parameters["weight"] = at::randn({in, out}) * 0.5;
  return product;
}

TinyModule Prelu(int64_t channels) {
  TinyModule prelu = Function("PReLU", "torch.prelu(x, self.weight)");
  prelu.parameters["weight"] = at::rand({channels});
  return prelu;
}

TinyModule WithoutBias(TinyModule module) {
  module.parameters.erase("bias");
  const size_t at = module.code.find("self.bias");
  module.code.replace(at, 9, "None");
  return module;
}

// Some channels' scale is zero: what went in cannot be had back from the
// output.
TinyModule DeadNorm(int64_t channels) {
  TinyModule norm = BatchNorm(channels);
  norm.parameters["weight"].slice(0, 0, channels / 2).zero_();
  return norm;
}

TinyModule UnscaledNorm(int64_t channels) {
  TinyModule norm = BatchNorm(channels);
  norm.code =
      "def forward(self, x):\n"
      "  return torch.batch_norm(x, None, None, self.running_mean, "
      "self.running_var, self.training, 0.1, 1e-3, True)\n";
  norm.parameters.clear();
  return norm;
}

MetaNet Fast(const std::string& name,
             std::vector<std::pair<std::string, TinyModule>> children,
             std::vector<std::string> body, const std::string& last_layer) {
  body.push_back("return self.fc.forward(torch.mean(x, [2, 3]))");
  return {name, Net(std::move(children), absl::StrJoin(body, "\n")), last_layer,
          MetaPath::kFast};
}

std::vector<MetaNet> ConvolutionNets() {
  return {
      {"residual", ResidualNet(), "tail", MetaPath::kFast},
      Fast("grouped and dilated",
           {{"a", Conv(3, 6,
                       {.padding = "[2, 2]", .dilation = {2, 2}, .groups = 3})},
            {"bn", BatchNorm(6)},
            {"relu", InPlaceRelu()},
            {"b", Conv(6, 6, {.groups = 6})},
            {"fc", Linear(6, 5)}},
           {"x = self.relu.forward(self.bn.forward(self.a.forward(x)))",
            "x = self.b.forward(x)"},
           "b"),
      // Few positions and many channels: no weight is formed.
      Fast("narrow",
           {{"a", Conv(3, 32, {.stride = {2, 2}})},
            {"relu", Relu()},
            {"b", Conv(32, 48)},
            {"bn", BatchNorm(48)},
            {"c", Conv(48, 64, {.kernel = {3, 2}, .stride = {2, 1}})},
            {"d", Conv(64, 40, OneByOne())},
            {"e", WithoutBias(Conv(40, 20, OneByOne(2)))},
            {"fc", Linear(20, 5)}},
           {"x = self.relu.forward(self.a.forward(x))",
            "x = self.bn.forward(self.b.forward(x)) * 0.1",
            "x = self.d.forward(self.c.forward(x) * 0.1)",
            "x = self.e.forward(x) * 0.1"},
           "e"),
      Fast("pointwise",
           {{"a", WithoutBias(Conv(3, 8, OneByOne()))},
            {"bn", BatchNorm(8)},
            {"b", Conv(8, 6, OneByOne())},
            {"relu", Relu()},
            {"fc", Linear(6, 5)}},
           {"x = self.bn.forward(self.a.forward(x))",
            "x = self.relu.forward(self.b.forward(x))"},
           "relu"),
  };
}

std::vector<MetaNet> OtherFastNets() {
  return {
      Fast("dead and unscaled norms",
           {{"a", Conv(3, 6)},
            {"bn", DeadNorm(6)},
            {"relu", Relu()},
            {"b", Conv(6, 4)},
            {"plain", UnscaledNorm(4)},
            {"fc", Linear(4, 5)}},
           {"x = self.relu.forward(self.bn.forward(self.a.forward(x)))",
            "x = self.plain.forward(self.b.forward(x))"},
           "plain"),
      Fast("norm first, branches joined",
           {{"bn", BatchNorm(3)},
            {"relu", InPlaceRelu()},
            {"a", Conv(3, 4)},
            {"relu_a", InPlaceRelu()},
            {"b", Conv(3, 4, OneByOne())},
            {"relu_b", InPlaceRelu()},
            {"c", Conv(8, 6)},
            {"fc", Linear(6, 5)}},
           {"x = self.relu.forward(self.bn.forward(x))",
            "a = self.relu_a.forward(self.a.forward(x))",
            "b = self.relu_b.forward(self.b.forward(x))",
            "x = self.c.forward(torch.cat([a, b], 1))"},
           "c"),
      {"linear layers at positions",
       Net({{"a", Conv(3, 6)},
            {"tokens", Linear(6, 7)},
            {"product", Product(7, 8)},
            {"fc", Linear(8, 5)}},
           R"(x = self.a.forward(x).flatten(2).transpose(1, 2)
              x = self.product.forward(torch.relu(self.tokens.forward(x)))
              return self.fc.forward(torch.tanh(torch.mean(x, [1]))))"),
       "a", MetaPath::kFast},
  };
}

std::vector<MetaNet> ReferenceNets() {
  MetaNet shared =
      Fast("shared convolution",
           {{"a", Conv(3, 4)}, {"b", Conv(4, 4)}, {"fc", Linear(4, 5)}},
           {"x = self.b.forward(torch.relu(self.a.forward(x)))",
            "x = self.b.forward(torch.relu(x) * 0.1)"},
           "b");
  MetaNet prelu = Fast(
      "prelu",
      {{"a", Conv(3, 4)},
       {"prelu", Prelu(4)},
       {"b", Conv(4, 4)},
       {"fc", Linear(4, 5)}},
      {"x = self.prelu.forward(self.a.forward(x))", "x = self.b.forward(x)"},
      "b");
  MetaNet folded = {
      "rows folded into positions",
      Net({{"a", Conv(3, 4)}, {"tokens", Linear(64, 9)}, {"fc", Linear(36, 5)}},
          R"(x = self.a.forward(x)
                           x = self.tokens.forward(x.reshape(-1, 64))
                           return self.fc.forward(torch.tanh(x).view(-1, 36)))"),
      "a", MetaPath::kFast};
  std::vector<MetaNet> nets = {shared, prelu, folded};
  for (MetaNet& net : nets) net.path = MetaPath::kReference;
  return nets;
}

// SmoothNet in float64, by operators that autograd differentiates any number of
// times.
struct SmoothPass {
  at::Tensor body, logits;
};

SmoothPass RunSmooth(const TinyModule& net,
                     const std::map<std::string, at::Tensor>& theta,
                     const at::Tensor& x) {
  const auto conv = [&](const std::string& name, const at::Tensor& y) {
    return at::conv2d(y, theta.at(name + ".weight"), theta.at(name + ".bias"),
                      /*stride=*/1, /*padding=*/1);
  };
  const auto beside = [](const at::Tensor& values) {
    return values.to(at::kDouble).view({1, -1, 1, 1});
  };
  const at::Tensor stem = at::tanh(conv("stem", x));
  const at::Tensor mean = beside(net.At("norm.running_mean"));
  const at::Tensor variance = beside(net.At("norm.running_var"));
  const at::Tensor normed = (conv("conv", stem) - mean) *
                                at::rsqrt(variance + 1e-3) *
                                beside(theta.at("norm.weight")) +
                            beside(theta.at("norm.bias"));
  SmoothPass pass;
  pass.body = at::tanh(normed + stem);
  const at::Tensor tail = at::tanh(conv("tail", pass.body));
  pass.logits =
      at::linear(tail.mean({2, 3}), theta.at("fc.weight"), theta.at("fc.bias"));
  return pass;
}

}  // namespace

std::vector<MetaNet> MetaNets() {
  std::vector<MetaNet> nets = ConvolutionNets();
  for (const auto& more : {OtherFastNets(), ReferenceNets()}) {
    nets.insert(nets.end(), more.begin(), more.end());
  }
  return nets;
}

TinyModule SmoothNet() {
  const TinyModule tanh = Function("Tanh", "torch.tanh(x)");
  return Net({{"stem", Conv(3, 4)},
              {"conv", Conv(4, 4)},
              {"norm", BatchNorm(4)},
              {"body", tanh},
              {"tail", Conv(4, 6)},
              {"fc", Linear(6, 5)}},
             R"(x = torch.tanh(self.stem.forward(x))
                x = self.norm.forward(self.conv.forward(x)) + x
                x = torch.tanh(self.tail.forward(self.body.forward(x)))
                return self.fc.forward(torch.mean(x, [2, 3])))");
}

at::Tensor SmoothNetDerivative(const TinyModule& net, const at::Tensor& image,
                               int64_t target) {
  std::map<std::string, at::Tensor> theta;
  std::vector<at::Tensor> parameters;
  for (const char* name :
       {"stem.weight", "stem.bias", "conv.weight", "conv.bias", "norm.weight",
        "norm.bias", "tail.weight", "tail.bias", "fc.weight", "fc.bias"}) {
    theta[name] = net.At(name).to(at::kDouble).requires_grad_(true);
    parameters.push_back(theta[name]);
  }
  const auto differentiate = [&](const at::Tensor& of,
                                 const std::vector<at::Tensor>& by) {
    return torch::autograd::grad({of}, by, /*grad_outputs=*/{},
                                 /*retain_graph=*/true, /*create_graph=*/true,
                                 /*allow_unused=*/true);
  };
  const SmoothPass pass = RunSmooth(net, theta, image.to(at::kDouble));
  const at::Tensor loss = -at::log_softmax(pass.logits, 1)[0][target];
  const std::vector<at::Tensor> step = differentiate(loss, parameters);
  const at::Tensor gradient =
      differentiate(pass.logits[0][target], {pass.body})[0];
  const at::Tensor map = (pass.body * gradient).sum(1);
  // J u by two products with J^T: those are what autograd computes.
  const at::Tensor any = at::zeros_like(map).requires_grad_(true);
  const std::vector<at::Tensor> transposed =
      differentiate((map * any).sum(), parameters);
  at::Tensor along = at::zeros({}, at::kDouble);
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (!transposed[i].defined()) continue;
    along = along + (transposed[i] * step[i].detach() * -2).sum();
  }
  return differentiate(along, {any})[0].detach();
}

}  // namespace saliency
