#include "tests/support/tiny_models.h"

#include <stdlib.h>
#include <torch/script.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"

namespace saliency {
namespace {

std::string List(const std::array<int64_t, 2>& pair) {
  return absl::StrCat("[", pair[0], ", ", pair[1], "]");
}

// `body` as the body of a function; lines after the first may share an
// indentation, as those of a raw string do.
std::string Indented(const std::string& body) {
  const std::vector<std::string> lines =
      absl::StrSplit(body, '\n', absl::SkipWhitespace());
  size_t shared = std::string::npos;
  for (size_t i = 1; i < lines.size(); ++i) {
    shared = std::min(shared, lines[i].find_first_not_of(' '));
  }
  std::string text;
  for (size_t i = 0; i < lines.size(); ++i) {
    const size_t cut = i == 0 ? lines[i].find_first_not_of(' ') : shared;
    absl::StrAppend(&text, "  ", lines[i].substr(cut), "\n");
  }
  return text;
}

std::string EmptyFile() {
  std::string path = testing::TempDir() + "/tiny_model_XXXXXX";
  const int file = mkstemp(path.data());
  EXPECT_GE(file, 0) << path;
  close(file);
  return path;
}

}  // namespace

const at::Tensor& TinyModule::At(const std::string& path) const {
  const std::pair<std::string, std::string> parts =
      absl::StrSplit(path, absl::MaxSplits('.', 1));
  for (const auto& [name, child] : children) {
    if (name == parts.first) return child.At(parts.second);
  }
  const auto parameter = parameters.find(path);
  return parameter != parameters.end() ? parameter->second : buffers.at(path);
}

TinyModule Conv(int64_t in, int64_t out, const ConvSpec& spec) {
  TinyModule conv = {.kind = "Conv2d"};
  conv.code = absl::StrCat(
      "def forward(self, x):\n"
      "  return torch.conv2d(x, self.weight, self.bias, ",
      List(spec.stride), ", ", spec.padding, ", ", List(spec.dilation), ", ",
      spec.groups, ")\n");
  conv.parameters["weight"] =
      at::randn({out, in / spec.groups, spec.kernel[0], spec.kernel[1]}) * 0.4;
  conv.parameters["bias"] = at::randn({out}) * 0.1;
  return conv;
}

TinyModule BatchNorm(int64_t channels) {
  TinyModule norm = {.kind = "BatchNorm2d"};
  norm.code =
      "def forward(self, x):\n"
      "  return torch.batch_norm(x, self.weight, self.bias, "
      "self.running_mean, self.running_var, self.training, 0.1, 1e-3, True)\n";
  norm.parameters["weight"] = at::rand({channels}) + 0.5;
  norm.parameters["bias"] = at::randn({channels}) * 0.2;
  norm.buffers["running_mean"] = at::randn({channels}) * 0.3;
  norm.buffers["running_var"] = at::rand({channels}) + 0.5;
  norm.attributes["training"] = true;
  return norm;
}

TinyModule Linear(int64_t in, int64_t out) {
  TinyModule linear = {.kind = "Linear"};
  linear.code =
      "def forward(self, x):\n"
      "  return torch.linear(x, self.weight, self.bias)\n";
  linear.parameters["weight"] = at::randn({out, in}) * 0.5;
  linear.parameters["bias"] = at::randn({out}) * 0.1;
  return linear;
}

TinyModule Relu() { return Function("ReLU", "torch.relu(x)"); }
TinyModule InPlaceRelu() { return Function("ReLU", "torch.relu_(x)"); }

TinyModule Function(const std::string& kind, const std::string& expression) {
  return {.kind = kind,
          .code = absl::StrCat("def forward(self, x):\n  return ", expression,
                               "\n")};
}

TinyModule Sequential(std::vector<TinyModule> children) {
  TinyModule sequential = {.kind = "Sequential"};
  sequential.code = "def forward(self, x):\n";
  for (size_t i = 0; i < children.size(); ++i) {
    absl::StrAppend(&sequential.code, "  x = getattr(self, \"", i,
                    "\").forward(x)\n");
    sequential.children.emplace_back(std::to_string(i), std::move(children[i]));
  }
  absl::StrAppend(&sequential.code, "  return x\n");
  return sequential;
}

TinyModule Net(std::vector<std::pair<std::string, TinyModule>> children,
               const std::string& body) {
  TinyModule net = {.kind = "Net", .children = std::move(children)};
  net.code = absl::StrCat("def forward(self, x):\n", Indented(body));
  return net;
}

torch::jit::Module Build(const TinyModule& tiny) {
  torch::jit::Module module("__torch__." + tiny.kind);
  for (const auto& [name, child] : tiny.children) {
    module.register_module(name, Build(child));
  }
  for (const auto& [name, value] : tiny.parameters) {
    module.register_parameter(name, value.clone().requires_grad_(true),
                              /*is_buffer=*/false);
  }
  for (const auto& [name, value] : tiny.buffers) {
    module.register_buffer(name, value.clone());
  }
  for (const auto& [name, value] : tiny.attributes) {
    module.register_attribute(name, value.type(), value);
  }
  module.define(tiny.code);
  return module;
}

ModelFile::ModelFile(const torch::jit::Module& module) : path_(EmptyFile()) {
  module.save(path_);
}
ModelFile::ModelFile(const TinyModule& tiny) : ModelFile(Build(tiny)) {}
ModelFile::~ModelFile() { std::remove(path_.c_str()); }

}  // namespace saliency
