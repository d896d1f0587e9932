// What stops a model is named: the operator, and the dtype, device, shape or
// derivative that is missing.  And what stops its gradients.

#include <ATen/ATen.h>
#include <torch/csrc/jit/frontend/resolver.h>
#include <torch/csrc/jit/frontend/sugared_value.h>
#include <torch/script.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/model/failure_reason.h"
#include "core/model/torch_status.h"
#include "gmock/gmock.h"
#include "tests/model/model_fixture.h"
#include "tests/support/tensor_close.h"

namespace saliency {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// Makes `with no_grad():` known to scripts, as PyTorch's Python side does.
struct NoGradResolver : torch::jit::Resolver {
  explicit NoGradResolver(c10::ClassTypePtr type) : no_grad(std::move(type)) {}
  std::shared_ptr<torch::jit::SugaredValue> resolveValue(
      const std::string& name, torch::jit::GraphFunction&,
      const torch::jit::SourceRange&) override {
    if (name == "torch") {
      return std::make_shared<torch::jit::BuiltinModule>("aten");
    }
    if (name == "no_grad") {
      return std::make_shared<torch::jit::ClassValue>(no_grad);
    }
    return nullptr;
  }
  c10::TypePtr resolveType(const std::string&,
                           const torch::jit::SourceRange&) override {
    return nullptr;
  }
  const c10::ClassTypePtr no_grad;
};

// A network of `children` whose forward(self, x) may say `with no_grad():`.
torch::jit::Module NoGradNet(
    std::vector<std::pair<std::string, TinyModule>> children,
    const std::string& forward) {
  const torch::jit::Module module =
      Build({.kind = "Net",
             .code = "def unused(self, x):\n  return x\n",
             .children = std::move(children)});
  const auto unit = module.type()->compilation_unit();
  const c10::QualifiedName name("__torch__.torch.autograd.grad_mode.no_grad");
  const auto type = c10::ClassType::create(name, unit);
  type->addAttribute("prev", c10::BoolType::get());
  unit->register_type(type);
  const torch::jit::SimpleSelf self(type);
  unit->define(name,
               "def __init__(self) -> None:\n"
               "  self.prev = False\n"
               "def __enter__(self) -> None:\n"
               "  self.prev = torch.is_grad_enabled()\n"
               "  torch.set_grad_enabled(False)\n"
               "def __exit__(self, a: Any, b: Any, c: Any) -> None:\n"
               "  torch.set_grad_enabled(self.prev)\n",
               torch::jit::nativeResolver(), &self);
  const torch::jit::SimpleSelf net(module.type());
  unit->define(module.type()->name(), forward,
               std::make_shared<NoGradResolver>(type), &net);
  return module;
}

class ReasonsTest : public ModelTest {
 protected:
  std::unique_ptr<ProbedModel> LoadFile(
      const torch::jit::Module& module) const {
    const ModelFile file(module);
    LoadOptions options;
    options.device = GetParam();
    options.input_height = options.input_width = 8;
    return ProbedModel::Load(file.path(), options).value();
  }

  std::string WhyNot(const TinyModule& tiny) const {
    const ModelFile file(tiny);
    LoadOptions options;
    options.device = GetParam();
    options.input_height = options.input_width = 8;
    const absl::Status status =
        ProbedModel::Load(file.path(), options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(std::string(status.message()),
                AllOf(Not(HasSubstr("Error")), Not(HasSubstr(".cpp")),
                      Not(HasSubstr(".py")), Not(HasSubstr("torch/"))));
    return std::string(status.message());
  }

  // Of the pass of a model that loads.
  std::string WhyNoPass(const TinyModule& tiny, int64_t size = 8) const {
    const auto model = Load(tiny);
    const absl::Status status =
        model->Run(EachImage(at::randn({1, 3, size, size}), 1, {"input"}))
            .status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_FALSE(TorchDetail(status).empty());
    return std::string(status.message());
  }

  // Why no gradient reaches layer "conv" of a network that goes on with
  // `body` from y = conv(x); empty when one does.
  std::string WhyZero(const std::string& body) const {
    const auto model = Load(Net({{"conv", Conv(3, 4)}, {"fc", Linear(4, 3)}},
                                "y = self.conv.forward(x)\n" + body));
    ProbeRequest request = EachImage(Images(2), 3, {"conv"});
    const ProbeResult result = model->Run(request).value();
    const ProbeResult::Record& record = result.records[0];
    const std::string note = (*model->FindLayer("conv"))->note;
    if (record.no_gradient.empty()) {
      EXPECT_GT(record.gradient.abs().max().item<float>(), 0);
      EXPECT_EQ(note, "");
      return "";
    }
    EXPECT_TRUE(Identical(record.gradient, at::zeros_like(record.gradient)));
    EXPECT_EQ(record.no_gradient[0], record.no_gradient[1]);
    return record.no_gradient[0];
  }
};
SALIENCY_INSTANTIATE_DEVICES(ReasonsTest);

TEST_P(ReasonsTest, ChannelsThatDoNotFitANamedLayer) {
  EXPECT_THAT(WhyNot(Net({{"conv", Conv(1, 4)}},
                         "return torch.mean(self.conv.forward(x), [2, 3])")),
              HasSubstr("the model cannot run an image of 3x8x8: operator "
                        "conv2d of layer \"conv\" takes 1 channel and got 3, "
                        "those of an image"));
  EXPECT_THAT(WhyNot(Net({{"a", Conv(3, 4)}, {"b", Conv(6, 4, {.groups = 2})}},
                         R"(x = self.a.forward(x)
                 return torch.mean(self.b.forward(x), [2, 3]))")),
              HasSubstr("of layer \"b\" takes 6 channels and got 4"));
}

TEST_P(ReasonsTest, FeaturesThatDoNotFit) {
  const TinyModule net = Net({{"fc", Linear(192, 3)}},
                             "return self.fc.forward(torch.flatten(x, 1))");
  EXPECT_THAT(WhyNoPass(net, 9),
              HasSubstr("the model cannot run an input of 1x3x9x9: operator "
                        "linear of layer \"fc\" takes 192 features and got "
                        "243"));
}

TEST_P(ReasonsTest, ShapesOfOtherOperatorsAreShown) {
  EXPECT_THAT(WhyNot(Net({}, "return torch.mean(x + x[:, :, 1:], [2, 3])")),
              HasSubstr("operator add fails on float32 [1,3,8,8], float32 "
                        "[1,3,7,8]"));
  EXPECT_THAT(WhyNot(Net({}, "return torch.cat([x, x[:, :, 1:]], 1)")),
              HasSubstr("operator cat fails on float32 [1,3,8,8], float32 "
                        "[1,3,7,8]"));
}

TEST_P(ReasonsTest, CastsInsideTheModel) {
  EXPECT_THAT(
      WhyNot(
          Net({{"conv", Conv(3, 4)}},
              R"(return torch.mean(self.conv.forward(x.double()), [2, 3]))")),
      HasSubstr("operator conv2d of layer \"conv\" meets float32 and float64"));
}

TEST_P(ReasonsTest, DevicesThatAreWrittenIntoTheFile) {
  if (std::string(GetParam()) != "cpu") GTEST_SKIP() << "the device is there";
  EXPECT_THAT(
      WhyNot(Net({},
                 "return torch.mean(x.to(torch.device(\"cuda:0\")), "
                 "[2, 3])")),
      HasSubstr("operator to asks for device cuda:0, but this instance runs on "
                "cpu"));
  EXPECT_THAT(WhyNot(Net({}, "return torch.mean(x.cuda(), [2, 3])")),
              HasSubstr("operator cuda asks for device cuda, but"));
  EXPECT_THAT(WhyNot(Net({},
                         "return torch.mean(x, [2, 3]) + torch.ones([3], "
                         "device=torch.device(\"cuda\"))")),
              HasSubstr("operator ones asks for device cuda, but"));
}

TEST_P(ReasonsTest, OperatorsWithoutADerivative) {
  EXPECT_THAT(WhyNoPass(Net({},
                            "return torch.mean(torch.nextafter(x, x + 1.), "
                            "[2, 3])")),
              HasSubstr("operator nextafter has no derivative"));
}

TEST_P(ReasonsTest, FilesThatAreSomethingElse) {
  EXPECT_EQ(ReasonOfUnreadableFile("Unknown builtin op: aten::convXd.\nHere"),
            "it uses operator convXd, which this server's LibTorch does not "
            "have");
  EXPECT_EQ(
      ReasonOfUnreadableFile("\nUnknown builtin op: quantized::new_op.\n"),
      "it uses operator quantized::new_op, which this server's LibTorch "
      "does not have");
  EXPECT_THAT(
      ReasonOfUnreadableFile("Unknown type name "
                             "'__torch__.torch.classes.xnnpack.Conv'"),
      HasSubstr("it uses class __torch__.torch.classes.xnnpack.Conv, which"));
  EXPECT_EQ(ReasonOfUnreadableFile(
                "Attempted to read a PyTorch file with version 99, but the "
                "maximum supported version for reading is 10. The"),
            "it has format version 99, of at most 10: export it with an older "
            "PyTorch");
  EXPECT_THAT(ReasonOfUnreadableFile(
                  "failed locating file constants.pkl: file not found"),
              HasSubstr("torch.save wrote it"));
  EXPECT_EQ(ReasonOfUnreadableFile("anything else at /usr/lib/x.cpp"), "");
}

TEST_P(ReasonsTest, WhatOperatorsEndGradientsIsTold) {
  const std::string mean = "return self.fc.forward(torch.mean(y, [2, 3]))";
  const std::pair<const char*, const char*> cases[] = {
      {"y = y.detach()\n", "detach or no_grad"},
      {"y = torch.sign(y)\n", "sign"},
      {"y = torch.floor(y * 3.)\n", "floor"},
      {"y = y.to(3).to(6)\n", "a cast to whole numbers"},
      {"y = (y > 0.).to(6)\n", "gt"},
      {"y = torch.topk(torch.flatten(y, 2), 4)[1].view([-1, 4, 2, 2]).to(6)\n",
       "the indices of topk"},
      {"y = torch.sort(y, 2)[1].to(6) + torch.max(y, 3, True)[1]\n",
       "the indices of sort, the indices of max"},
      {"y = torch._cast_Byte(y).to(6)\n", "_cast_Byte"},
      {"y = torch.zeros_like(y)\n", "zeros_like"},
      {"y = torch.dequantize(torch.quantize_per_tensor(y, 0.1, 0, 13))\n",
       "quantize_per_tensor"},
  };
  for (const auto& [line, name] : cases) {
    SCOPED_TRACE(line);
    EXPECT_EQ(WhyZero(line + mean),
              absl::StrCat("behind it the model uses ", name,
                           ", where gradients end"));
  }
  EXPECT_THAT(WhyZero("z = self.fc.forward(torch.mean(y, [2, 3]))\n"
                      "return torch.one_hot(torch.argmax(z, 1), 3).to(6)"),
              HasSubstr("argmax"));
  EXPECT_THAT(WhyZero("return torch.round(torch.mean(y, [2, 3])[:, 1:] * 8.)"),
              HasSubstr("round"));
}

TEST_P(ReasonsTest, ALayerBesideTheOutputIsToldSo) {
  EXPECT_EQ(WhyZero("return (self.fc.forward(torch.mean(torch.cat([x, "
                    "x[:, 0:1]], 1), [2, 3])), y)"),
            "the output that is explained does not depend on it");
}

TEST_P(ReasonsTest, WhereAWayIsLeftNothingIsTold) {
  const std::string mean = "return self.fc.forward(torch.mean(y, [2, 3]))";
  for (const char* line : {
           "",
           "y = y + y.detach()\n",
           "v, i = torch.topk(torch.flatten(y, 2), 4)\n"
           "y = (v * i.to(6)).view([-1, 4, 2, 2])\n",
           "y = y * (y > 0.).to(6)\n",                 // a written-out ReLU
           "y = (torch.round(y) - y).detach() + y\n",  // straight through
           "l = [y]\nl.append(torch.relu(y.detach()))\n"
           "y = torch.relu(l[0]) + l[1]\n",
           "z = torch.zeros_like(y)\nz[:, 0:2] = y[:, 0:2]\ny = z\n",
           "if y.size(2) > 4:\n  y = torch.relu(y)\nelse:\n  y = y.detach()\n",
           "for i in range(y.size(2)):\n  y = torch.tanh(y)\n",
       }) {
    SCOPED_TRACE(line);
    EXPECT_EQ(WhyZero(line + mean), "");
  }
}

TEST_P(ReasonsTest, NoGradLeavesTheLayersBehindItTheirGradients) {
  const TinyModule a = Conv(3, 4), b = Conv(4, 4);
  const auto model =
      LoadFile(NoGradNet({{"a", a}, {"b", b}},
                         "def forward(self, x):\n"
                         "  with no_grad():\n"
                         "    y = torch.relu(self.a.forward(x))\n"
                         "  return torch.mean(self.b.forward(y), [2, 3])\n"));
  EXPECT_THAT((*model->FindLayer("a"))->note,
              HasSubstr("no gradient reaches it: behind it the model uses "
                        "detach or no_grad"));
  EXPECT_FALSE((*model->FindLayer("a"))->has_gradient);
  EXPECT_TRUE((*model->FindLayer("b"))->has_gradient);
  const TinyModule net = {.kind = "Net", .children = {{"a", a}, {"b", b}}};
  const at::Tensor images = Images(2);
  LayerValues v;
  v["input"] = Leaf(images);
  v["a"] = ApplyConv(net, "a", v["input"]);
  v["b"] = ApplyConv(net, "b", at::relu(v["a"]).detach());
  v["b"].set_requires_grad(true);
  v["logits"] = v["b"].mean({2, 3});
  ExpectReference(*model, images, v);
}

TEST_P(ReasonsTest, NoGradAroundAllOfAModelIsToldAtEachLayer) {
  const auto model =
      LoadFile(NoGradNet({{"a", Conv(3, 4)}},
                         "def forward(self, x):\n"
                         "  with no_grad():\n"
                         "    y = torch.mean(self.a.forward(x), [2, 3])\n"
                         "  return y\n"));
  for (const LayerInfo& layer : model->layers()) {
    EXPECT_THAT(layer.note, HasSubstr("detach or no_grad")) << layer.name;
  }
}

// What its author wrote there is told, however long.
TEST_P(ReasonsTest, AnAssertOfTheModelsOwnIsQuoted) {
  const auto refusal = [&](const std::string& line) {
    const ModelFile file(
        Net({{"a", Conv(3, 4)}},
            line + "\nreturn torch.mean(self.a.forward(x), [2, 3])"));
    LoadOptions options;
    options.device = GetParam();
    options.input_height = options.input_width = 8;
    return std::string(
        ProbedModel::Load(file.path(), options).status().message());
  };
  EXPECT_THAT(refusal("assert x.size(2) == 64, 'expects 64x64'"),
              AllOf(HasSubstr("an assert or raise of its own stops it: "),
                    HasSubstr("expects 64x64")));
  EXPECT_THAT(refusal("assert bool(torch.min(x) > 9.), 'values below nine'"),
              HasSubstr("values below nine"));
  EXPECT_THAT(refusal("assert x.size(1) == 1"),
              HasSubstr("an assert or raise of its own stops it"));
  EXPECT_LT(
      refusal("assert x.size(1) == 1, '" + std::string(5000, 'a') + "'").size(),
      1000U);
}

TEST_P(ReasonsTest, NoGradThatHandsOnAListIsRefused) {
  const ModelFile file(
      NoGradNet({{"a", Conv(3, 4)}},
                "def forward(self, x):\n"
                "  with no_grad():\n"
                "    y = [self.a.forward(x)]\n"
                "  return torch.mean(y[x.dim() - 4], [2, 3])\n"));
  EXPECT_THAT(
      std::string(ProbedModel::Load(file.path(), {}).status().message()),
      HasSubstr("torch.no_grad() block hands on a list, tuple or dict"));
}

}  // namespace
}  // namespace saliency
