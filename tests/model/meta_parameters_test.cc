// The meta step moves every parameter, however a model holds and reads it: the
// step is compared, parameter by parameter, with autograd on the module, and
// the maps with those of the module after that step.

#include <c10/util/accumulate.h>
#include <torch/csrc/jit/frontend/resolver.h>
#include <torch/csrc/jit/frontend/sugared_value.h>
#include <torch/custom_class.h>
#include <torch/script.h>
#include <torch/torch.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "tests/model/model_fixture.h"
#include "tests/model/taken_steps.h"
#include "tests/support/tensor_close.h"

namespace saliency::meta_parameters_test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using torch::jit::Module;

// Other orders of the same float32 sums.
constexpr double kOtherOrder = 1e-4;
constexpr double kEpsilon = 0.05;

// Finds one function besides LibTorch's own.
struct OneFunction : torch::jit::NativeResolver {
  OneFunction(std::string called, torch::jit::Function& found)
      : name(std::move(called)), function(found) {}
  std::shared_ptr<torch::jit::SugaredValue> resolveValue(
      const std::string& wanted, torch::jit::GraphFunction& caller,
      const torch::jit::SourceRange& range) override {
    if (wanted != name) {
      return NativeResolver::resolveValue(wanted, caller, range);
    }
    return std::make_shared<torch::jit::FunctionValue>(&function);
  }
  const std::string name;
  torch::jit::Function& function;
};

// A root module and what is put into it.
class Root {
 public:
  Root() : module_("__torch__.Root") {}

  Root& Parameter(const std::string& name, const at::Tensor& value) {
    module_.register_parameter(name, value, /*is_buffer=*/false);
    return *this;
  }
  Root& Buffer(const std::string& name, const at::Tensor& value) {
    module_.register_buffer(name, value);
    return *this;
  }
  Root& Attribute(const std::string& name, const c10::TypePtr& type,
                  const c10::IValue& value) {
    module_.register_attribute(name, type, value);
    return *this;
  }
  Root& Child(const std::string& name, const Module& child) {
    module_.register_module(name, child);
    return *this;
  }
  // A function beside the module, which its methods may call.
  Root& Function(const std::string& name, const std::string& source) {
    const auto unit = module_._ivalue()->compilation_unit();
    unit->define(c10::QualifiedName("__torch__"), source,
                 torch::jit::nativeResolver(), /*self=*/nullptr);
    resolver_ = std::make_shared<OneFunction>(
        name, unit->get_function(c10::QualifiedName("__torch__." + name)));
    return *this;
  }
  Module Forward(const std::string& body) {
    return Methods("def forward(self, x):\n" + body);
  }
  Module Methods(const std::string& source) {
    module_.define(source, resolver_);
    return module_;
  }

 private:
  Module module_;
  torch::jit::ResolverPtr resolver_;
};

at::Tensor Weight(at::IntArrayRef sizes, double scale = 0.4) {
  return (at::randn(sizes) * scale).requires_grad_(true);
}

// [N,4,h,w] to logits, by the parameters "head" [5,4] and "shift" [5].
constexpr char kHead[] =
    "  return torch.linear(torch.mean(y, [2, 3]), self.head, self.shift)\n";

Root WithHead() {
  return Root()
      .Parameter("head", Weight({5, 4}))
      .Parameter("shift", Weight({5}))
      .Parameter("stem", Weight({4, 3, 3, 3}));
}

std::string Body(const std::string& lines) {
  return "  y = torch.tanh(torch.conv2d(x, self.stem, None, [1, 1], [1, "
         "1]))\n" +
         lines + kHead;
}

Module Holder(const std::string& name, const at::Tensor& value,
              const std::string& method = "") {
  Module holder("__torch__.Holder");
  holder.register_parameter(name, value, /*is_buffer=*/false);
  if (!method.empty()) holder.define(method);
  return holder;
}

const c10::TypePtr& Tensors() {
  static const auto* const type =
      new c10::TypePtr(c10::ListType::create(c10::TensorType::get()));
  return *type;
}

c10::IValue ListOf(const std::vector<at::Tensor>& tensors) {
  return c10::IValue(c10::List<at::Tensor>(tensors));
}

struct Way {
  std::string name;
  std::function<Module()> build;
};

std::vector<Way> SharedWays() {
  return {
      {"tied",
       [] {
         const at::Tensor w = Weight({4, 4, 3, 3}, 0.2);
         return WithHead().Parameter("a", w).Parameter("b", w).Forward(Body(
             "  y = torch.tanh(torch.conv2d(y, self.a, None, [1, 1], [1, 1]))\n"
             "  y = torch.conv2d(y, self.b, None, [1, 1], [1, 1])\n"));
       }},
      {"one the transpose of the other",
       [] {
         const at::Tensor w = Weight({4, 6});
         const at::Tensor t = w.detach().t().requires_grad_(true);
         return WithHead().Parameter("up", w).Parameter("down", t).Forward(
             Body("  z = torch.tanh(torch.matmul(y.permute([0, 2, 3, 1]), "
                  "self.up))\n"
                  "  y = torch.matmul(z, self.down).permute([0, 3, 1, 2])\n"));
       }},
      {"one a slice of the other",
       [] {
         const at::Tensor w = Weight({8, 4, 1, 1});
         const at::Tensor part = w.detach().slice(0, 2, 6).requires_grad_(true);
         return WithHead()
             .Parameter("w", w)
             .Parameter("part", part)
             .Forward(Body("  y = torch.tanh(torch.conv2d(y, self.part))\n"
                           "  y = torch.conv2d(y, self.w)[:, 1:5]\n"));
       }},
      {"neighbours in one storage",
       [] {
         const at::Tensor all = at::randn({40}) * 0.4;
         const auto part = [&](int64_t from, at::IntArrayRef sizes) {
           return all.slice(0, from, from + c10::multiply_integers(sizes))
               .view(sizes)
               .requires_grad_(true);
         };
         return WithHead()
             .Parameter("w", part(4, {4, 4, 1, 1}))
             .Parameter("b", part(20, {4}))
             .Forward(Body("  y = torch.conv2d(y, self.w, self.b)\n"));
       }},
      {"a buffer in a parameter's memory",
       [] {
         const at::Tensor w = Weight({4, 4, 1, 1});
         return WithHead()
             .Parameter("w", w)
             .Buffer("alias", w)
             .Forward(Body("  y = torch.tanh(torch.conv2d(y, self.alias))\n"
                           "  y = torch.conv2d(y, self.w)\n"));
       }},
      {"a buffer read alone in a parameter's memory",
       [] {
         const at::Tensor w = Weight({4, 4, 1, 1});
         return WithHead()
             .Parameter("w", w)
             .Buffer("alias", w)
             .Forward(Body("  y = torch.tanh(torch.conv2d(y, self.alias))\n"));
       }},
  };
}

std::vector<Way> ContainedWays() {
  const std::string use_two =
      "  y = torch.tanh(torch.conv2d(y, a)) + torch.conv2d(y, b)\n";
  return {
      {"in a list",
       [=] {
         const at::Tensor a = Weight({4, 4, 1, 1}), b = Weight({4, 4, 1, 1});
         return WithHead()
             .Parameter("a", a)
             .Parameter("b", b)
             .Attribute("all", Tensors(), ListOf({a, b}))
             .Forward(Body("  a, b = self.all[0], self.all[1]\n" + use_two));
       }},
      {"in a list, walked, and by itself",
       [=] {
         const at::Tensor a = Weight({4, 4, 1, 1}), b = Weight({4, 4, 1, 1});
         return WithHead()
             .Parameter("a", a)
             .Parameter("b", b)
             .Attribute("all", Tensors(), ListOf({a, b}))
             .Forward(Body("  for w in self.all:\n"
                           "    y = torch.tanh(torch.conv2d(y, w))\n"
                           "  y = torch.conv2d(y, self.b)\n"));
       }},
      {"in a dictionary",
       [=] {
         const at::Tensor a = Weight({4, 4, 1, 1}), b = Weight({4, 4, 1, 1});
         c10::Dict<std::string, at::Tensor> all;
         all.insert("first", a);
         all.insert("second", b);
         return WithHead()
             .Parameter("a", a)
             .Parameter("b", b)
             .Attribute("all",
                        c10::DictType::create(c10::StringType::get(),
                                              c10::TensorType::get()),
                        all)
             .Forward(
                 Body("  a, b = self.all[\"first\"], self.all[\"second\"]\n" +
                      use_two));
       }},
      {"in a tuple of a list",
       [=] {
         const at::Tensor a = Weight({4, 4, 1, 1}), b = Weight({4, 4, 1, 1});
         return WithHead()
             .Parameter("a", a)
             .Parameter("b", b)
             .Attribute(
                 "all",
                 c10::TupleType::create({Tensors(), c10::TensorType::get()}),
                 c10::ivalue::Tuple::create(ListOf({a}), b))
             .Forward(Body("  a, b = self.all[0][0], self.all[1]\n" + use_two));
       }},
      {"in a list made on the way",
       [] {
         return WithHead()
             .Parameter("a", Weight({4, 1, 1}))
             .Parameter("b", Weight({4, 1, 1}))
             .Forward(Body("  both = [self.a, self.b]\n"
                           "  y = y * torch.stack(both).sum(0) + both[1]\n"));
       }},
      {"as a list of parameters",
       [] {
         Module list("__torch__.ParameterList");
         list.register_parameter("0", Weight({4, 4, 1, 1}), false);
         list.register_parameter("1", Weight({4, 4, 1, 1}), false);
         return WithHead()
             .Child("all", list)
             .Forward(Body(
                 "  y = torch.tanh(torch.conv2d(y, getattr(self.all, \"0\")))\n"
                 "  y = torch.conv2d(y, getattr(self.all, \"1\"))\n"));
       }},
  };
}

std::vector<Way> ReadingWays() {
  return {
      {"sliced",
       [] {
         return WithHead()
             .Parameter("w", Weight({8, 6, 1, 1}))
             .Forward(Body("  y = torch.conv2d(y, self.w[2:6, 1:5])\n"));
       }},
      {"read twice",
       [] {
         return WithHead()
             .Parameter("b", Weight({4}))
             .Forward(Body("  b = self.b.view([-1, 1, 1])\n"
                           "  y = torch.tanh(y * b) + b + self.shift[0]\n"));
       }},
      {"normed on the way",
       [] {
         return WithHead()
             .Parameter("g", Weight({4, 1, 1, 1}))
             .Parameter("v", Weight({4, 4, 1, 1}))
             .Forward(Body("  w = self.g * self.v / self.v.norm()\n"
                           "  y = torch.conv2d(y, w)\n"));
       }},
      {"down a chain",
       [] {
         Module deep("__torch__.Deep");
         deep.register_module("c", Holder("weight", Weight({4, 4, 1, 1})));
         Module middle("__torch__.Middle");
         middle.register_module("b", deep);
         return WithHead()
             .Child("a", middle)
             .Forward(Body("  y = torch.conv2d(y, self.a.b.c.weight)\n"));
       }},
      {"by a method of a child",
       [] {
         return WithHead()
             .Child("a", Holder("w", Weight({4, 4, 1, 1}),
                                "def doubled(self):\n  return self.w * 2\n"))
             .Forward(Body("  y = torch.conv2d(y, self.a.doubled())\n"));
       }},
      {"handed to a function",
       [] {
         return WithHead()
             .Parameter("w", Weight({4, 4, 1, 1}))
             .Function("mixed",
                       "def mixed(y, w):\n"
                       "  return torch.conv2d(torch.tanh(y), w * 1.5)\n")
             .Forward(Body("  y = mixed(y, self.w)\n"));
       }},
      {"in a loop",
       [] {
         return WithHead()
             .Parameter("w", Weight({4, 4, 1, 1}))
             .Forward(
                 Body("  for i in range(x.size(2) - 5):\n"
                      "    y = y + torch.tanh(torch.conv2d(y, self.w))\n"));
       }},
      {"in a branch",
       [] {
         return WithHead()
             .Parameter("a", Weight({4, 4, 1, 1}))
             .Parameter("b", Weight({4, 4, 1, 1}))
             .Forward(Body("  if bool(x.sum() > -1e9):\n"
                           "    y = torch.conv2d(y, self.a)\n"
                           "  else:\n"
                           "    y = torch.conv2d(y, self.b)\n"));
       }},
      {"chosen by a branch",
       [] {
         return WithHead()
             .Parameter("a", Weight({4, 4, 1, 1}))
             .Parameter("b", Weight({4, 4, 1, 1}))
             .Forward(Body("  w = self.a\n"
                           "  if bool(x.sum() < -1e9):\n"
                           "    w = self.b\n"
                           "  y = torch.conv2d(y, w)\n"));
       }},
      {"overwritten on the way",
       [] {
         return WithHead()
             .Parameter("w", Weight({4, 4, 1, 1}))
             .Forward(Body("  w = self.w.clone()\n"
                           "  w[:, 1:3] = 0.5\n"
                           "  y = torch.conv2d(y, w.mul_(2))\n"));
       }},
      {"as one number",
       [] {
         return WithHead()
             .Parameter("scale", Weight({}, 1))
             .Forward(Body("  y = y * self.scale\n"));
       }},
      {"as a number out of the tensor",
       [] {
         return WithHead()
             .Parameter("scale", Weight({}, 1))
             .Forward(Body("  y = y * float(self.scale)\n"));
       }},
      {"detached in one of two places",
       [] {
         return WithHead()
             .Parameter("w", Weight({4, 4, 1, 1}))
             .Forward(
                 Body("  y = torch.tanh(torch.conv2d(y, self.w.detach()))\n"
                      "  y = torch.conv2d(y, self.w)\n"));
       }},
      {"before the image",
       [] {
         return WithHead()
             .Parameter("shade", Weight({1, 3, 8, 8}))
             .Methods("def forward(self, x):\n  x = x * 0.5 + self.shade\n" +
                      Body(""));
       }},
      {"nowhere",
       [] { return WithHead().Parameter("w", Weight({4})).Forward(Body("")); }},
  };
}

std::vector<Way> KindsOfParameters() {
  return {
      {"buffers are none",
       [] {
         return WithHead()
             .Buffer("w", Weight({4, 4, 1, 1}).detach())
             .Forward(Body("  y = torch.conv2d(y, self.w)\n"));
       }},
      {"frozen ones are",
       [] {
         return WithHead()
             .Parameter("w", Weight({4, 4, 1, 1}).detach())
             .Forward(Body("  y = torch.conv2d(y, self.w)\n"));
       }},
      {"whole numbers stay",
       [] {
         return WithHead()
             .Parameter("q", at::randint(-8, 8, {4, 4, 1, 1}, at::kChar))
             .Parameter("scale", Weight({4, 1, 1, 1}))
             .Forward(Body("  y = torch.conv2d(y, self.q * self.scale)\n"));
       }},
      {"complex numbers",
       [] {
         return WithHead()
             .Parameter("filter",
                        (at::randn({4, 8, 8}, at::kComplexFloat) * 0.4)
                            .requires_grad_(true))
             .Forward(Body("  z = torch.fft_fft2(y) * self.filter\n"
                           "  y = torch.real(torch.fft_ifft2(z))\n"));
       }},
      {"norms, slopes and transposed kernels",
       [] {
         return WithHead()
             .Parameter("gamma", Weight({8}, 1))
             .Parameter("beta", Weight({8}))
             .Parameter("group", Weight({4}, 1))
             .Parameter("slope", at::rand({4}).requires_grad_(true))
             .Parameter("up", Weight({4, 4, 2, 2}))
             .Forward(Body(
                 "  y = torch.layer_norm(y, [8], self.gamma, self.beta)\n"
                 "  y = torch.group_norm(y, 2, self.group, None)\n"
                 "  y = torch.prelu(y, self.slope)\n"
                 "  y = torch.conv_transpose2d(y, self.up, None, [2, 2])\n"));
       }},
      {"a transformer",
       [] {
         return Root()
             .Parameter("patch", Weight({8, 3, 4, 4}, 0.2))
             .Parameter("class_token", Weight({1, 1, 8}))
             .Parameter("positions", Weight({1, 5, 8}))
             .Parameter("in_weight", Weight({24, 8}))
             .Parameter("in_bias", Weight({24}))
             .Parameter("out_weight", Weight({8, 8}))
             .Parameter("out_bias", Weight({8}))
             .Parameter("gamma", Weight({8}, 1))
             .Parameter("beta", Weight({8}))
             .Parameter("head", Weight({5, 8}))
             .Forward(
                 "  y = torch.conv2d(x, self.patch, None, [4, 4])\n"
                 "  y = y.flatten(2).transpose(1, 2)\n"
                 "  first = self.class_token.expand([y.size(0), -1, -1])\n"
                 "  y = torch.cat([first, y], 1) + self.positions\n"
                 "  z = torch.layer_norm(y, [8], self.gamma, self.beta)\n"
                 "  qkv = torch.linear(z, self.in_weight, self.in_bias)\n"
                 "  q, k, v = torch.chunk(qkv, 3, 2)\n"
                 "  w = torch.softmax(torch.matmul(q, k.transpose(1, 2)), 2)\n"
                 "  y = y + torch.linear(torch.matmul(w, v), self.out_weight,\n"
                 "                       self.out_bias)\n"
                 "  return torch.linear(y[:, 0], self.head)\n");
       }},
  };
}

std::vector<Way> AllWays() {
  std::vector<Way> all;
  for (const auto& ways :
       {SharedWays(), ContainedWays(), ReadingWays(), KindsOfParameters()}) {
    all.insert(all.end(), ways.begin(), ways.end());
  }
  return all;
}

Way WayCalled(const std::string& name) {
  for (const Way& way : AllWays()) {
    if (way.name == name) return way;
  }
  ADD_FAILURE() << "no way is called \"" << name << '"';
  return {};
}

// The module after one step of SGD, in its own memory.
void Step(const Module& module, const at::Tensor& image, int64_t target,
          double size) {
  std::map<std::string, at::Tensor> before;
  for (const auto& parameter : module.named_parameters()) {
    before[parameter.name] = parameter.value.detach().clone();
  }
  const ParameterGradients gradients = AutogradGradients(module, image, target);
  const at::NoGradGuard no_grad;
  for (const auto& parameter : module.named_parameters()) {
    const auto gradient = gradients.find(parameter.name);
    if (gradient == gradients.end()) continue;
    const at::Tensor& theta = before[parameter.name];
    parameter.value.copy_(theta -
                          (gradient->second * size).to(theta.scalar_type()));
  }
}

ProbeRequest MapsAtInput(const at::Tensor& image, int64_t target) {
  return {.input = image,
          .rows = {{.image = 0, .target = ClassIndex{target}}},
          .probes = {{"input"}}};
}

// Of the parameters that have a name in both: what is read through another
// attribute alone has none of its own.
void ExpectClose(const ParameterGradients& actual,
                 const ParameterGradients& expected) {
  ParameterGradients both, wanted;
  for (const auto& [name, gradient] : expected) {
    const auto found = actual.find(name);
    if (found == actual.end()) continue;
    both.insert(*found);
    wanted[name] = gradient;
  }
  ASSERT_FALSE(both.empty());
  EXPECT_TRUE(GradientsClose(both, wanted, kOtherOrder));
}

class MetaParametersTest : public ModelTest {
 protected:
  std::unique_ptr<ProbedModel> LoadModule(const Module& module,
                                          LoadOptions options = {}) const {
    const ModelFile file(module);
    options.device = GetParam();
    options.input_height = options.input_width = 8;
    return ProbedModel::Load(file.path(), options).value();
  }
};
SALIENCY_INSTANTIATE_DEVICES(MetaParametersTest);

TEST_P(MetaParametersTest, EveryParameterMovesAsAutogradSays) {
  const at::Tensor images = Images(2);
  const std::vector<int64_t> targets = {1, 3};
  for (const Way& way : AllWays()) {
    SCOPED_TRACE(way.name);
    const Module module = way.build();
    const ModelFile file(module);
    const auto network = LoadNetwork(file.path());
    const auto fast = FastGradients(*network, images, targets);
    for (int64_t r = 0; r < 2; ++r) {
      const at::Tensor image = images.slice(0, r, r + 1);
      const ParameterGradients expected =
          AutogradGradients(module, image, targets[r]);
      const ParameterGradients actual =
          ReferenceGradients(*network, image, targets[r]);
      ExpectClose(actual, expected);
      if (fast.has_value()) ExpectClose((*fast)[r], expected);
    }
  }
}

TEST_P(MetaParametersTest, MapsAreThoseOfTheSteppedModule) {
  const at::Tensor images = Images(1);
  for (const Way& way : AllWays()) {
    SCOPED_TRACE(way.name);
    const Module module = way.build();
    ProbeRequest request = MapsAtInput(images, 2);
    const ProbeResult plain = LoadModule(module)->Run(request).value();
    request.rows[0].meta = MetaStep{.epsilon = kEpsilon};
    const ProbeResult result = LoadModule(module)->Run(request).value();
    Step(module, images, /*target=*/2, 2 * kEpsilon);
    request.rows[0].meta.reset();
    const ProbeResult expected = LoadModule(module)->Run(request).value();
    EXPECT_TRUE(RowsClose(result.records[0].gradient,
                          expected.records[0].gradient, kOtherOrder));
    EXPECT_TRUE(RowsClose(result.stepped_logits, expected.logits, kOtherOrder));
    EXPECT_FALSE(RowsClose(result.records[0].gradient,
                           plain.records[0].gradient, 10 * kOtherOrder));
  }
}

// Parameters that lie side by side move apart from each other.
TEST_P(MetaParametersTest, OnlySharedMemoryLeavesTheFastPath) {
  EXPECT_EQ(
      LoadModule(WayCalled("neighbours in one storage").build())->meta_path(),
      MetaPath::kFast);
  EXPECT_EQ(LoadModule(WayCalled("tied").build())->meta_path(),
            MetaPath::kReference);
}

// Steps are taken in float32 from the rounded weights.
TEST_P(MetaParametersTest, ModelsOfHalfTheSizeStepInFloat32) {
  for (const char* name :
       {"tied", "one a slice of the other", "in a list", "a transformer"}) {
    SCOPED_TRACE(name);
    const Module module = WayCalled(name).build();
    {
      const at::NoGradGuard no_grad;
      for (const auto& parameter : module.parameters()) {
        parameter.copy_(parameter.to(at::kBFloat16));
      }
    }
    ProbeRequest request = MapsAtInput(Images(1), 2);
    request.rows[0].meta = MetaStep{.epsilon = kEpsilon};
    const ProbeResult half = LoadModule(module, {.precision = Precision::kBf16})
                                 ->Run(request)
                                 .value();
    const ProbeResult full = LoadModule(module)->Run(request).value();
    EXPECT_TRUE(RowsClose(half.records[0].gradient, full.records[0].gradient,
                          kOtherOrder));
  }
}

// An object of a class, of which TorchScript reads an attribute.
c10::intrusive_ptr<c10::ivalue::Object> ObjectWith(const Module& owner,
                                                   const at::Tensor& weight) {
  const auto unit = owner._ivalue()->compilation_unit();
  const auto type = c10::ClassType::create(
      c10::QualifiedName("__torch__.Shelf"), unit, /*is_module=*/false);
  type->addAttribute("weight", c10::TensorType::get());
  unit->register_type(type);
  const auto object =
      c10::ivalue::Object::create(c10::StrongTypePtr(unit, type), 1);
  object->setSlot(0, weight);
  return object;
}

absl::Status StepOf(ProbedModel& model, const at::Tensor& image) {
  ProbeRequest request = MapsAtInput(image, 0);
  request.rows[0].meta = MetaStep();
  return model.Run(request).status();
}

TEST_P(MetaParametersTest, ParametersInAnObjectAreRefusedByName) {
  const at::Tensor weight = Weight({4, 4, 1, 1});
  Module shelved("__torch__.Shelved");
  shelved.register_parameter("weight", weight, /*is_buffer=*/false);
  const auto object = ObjectWith(shelved, weight);
  shelved.register_attribute("shelf", object->type(), object);
  shelved.define(
      "def forward(self, y):\n"
      "  return torch.conv2d(y, self.shelf.weight)\n");
  const auto model =
      LoadModule(WithHead()
                     .Child("block", shelved)
                     .Forward(Body("  y = self.block.forward(y)\n")));
  EXPECT_EQ(model->meta_path(), MetaPath::kNone);
  const absl::Status status = StepOf(*model, Images(1));
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("\"block.shelf\""), HasSubstr("class Shelf")));
  EXPECT_EQ(status.message(), model->meta_refusal());
  EXPECT_TRUE(model->Run(MapsAtInput(Images(1), 0)).ok());
}

// A weight in a form of its own, as quantised layers and prepacked kernels have
// theirs.
struct PackedWeight : torch::CustomClassHolder {
  explicit PackedWeight(at::Tensor w) : weight(std::move(w)) {}
  at::Tensor Apply(const at::Tensor& y) const { return at::linear(y, weight); }
  const at::Tensor weight;
};

void RegisterPackedWeight() {
  static const auto registered =
      torch::class_<PackedWeight>("saliency_tests", "PackedWeight")
          .def(torch::init<at::Tensor>())
          .def("apply", [](const c10::intrusive_ptr<PackedWeight>& self,
                           const at::Tensor& y) { return self->Apply(y); })
          .def_pickle(
              [](const c10::intrusive_ptr<PackedWeight>& self) {
                return self->weight;
              },
              [](const at::Tensor& weight) {
                return c10::make_intrusive<PackedWeight>(weight);
              });
  static_cast<void>(registered);
}

TEST_P(MetaParametersTest, PackedWeightsAreRefusedByName) {
  RegisterPackedWeight();
  const c10::IValue params =
      torch::make_custom_class<PackedWeight>(at::randn({5, 4}));
  Module packed("__torch__.Packed");
  packed.register_attribute("params", params.type(), params);
  packed.define("def forward(self, y):\n  return self.params.apply(y)\n");
  const auto model = LoadModule(
      Root()
          .Parameter("stem", Weight({4, 3, 3, 3}))
          .Child("fc", packed)
          .Forward("  y = torch.tanh(torch.conv2d(x, self.stem))\n"
                   "  return self.fc.forward(torch.mean(y, [2, 3]))\n"));
  EXPECT_EQ(model->meta_path(), MetaPath::kNone);
  const absl::Status status = StepOf(*model, Images(1));
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("\"fc.params\""),
                    HasSubstr("packed by class PackedWeight")));
  EXPECT_TRUE(model->Run(MapsAtInput(Images(1), 0)).ok());
}

}  // namespace
}  // namespace saliency::meta_parameters_test
