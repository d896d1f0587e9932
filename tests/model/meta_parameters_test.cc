// The meta step moves every parameter, however a model holds and reads it: the
// step is compared, parameter by parameter, with autograd on the module, and
// the maps with those of the module after that step.

#include <c10/util/accumulate.h>
#include <torch/custom_class.h>
#include <torch/script.h>
#include <torch/torch.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "tests/model/model_fixture.h"
#include "tests/model/parameter_ways.h"
#include "tests/model/root_module.h"
#include "tests/model/taken_steps.h"
#include "tests/support/tensor_close.h"

namespace saliency::meta_parameters_test {
namespace {

using root_module::Body;
using root_module::Root;
using root_module::Weight;
using root_module::WithHead;
using testing::AllOf;
using testing::HasSubstr;
using torch::jit::Module;

// Other orders of the same float32 sums.
constexpr double kOtherOrder = 1e-4;
constexpr double kEpsilon = 0.05;

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
  for (const ParameterWay& way : AllParameterWays()) {
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
  for (const ParameterWay& way : AllParameterWays()) {
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
  EXPECT_EQ(LoadModule(ParameterWayCalled("neighbours in one storage").build())
                ->meta_path(),
            MetaPath::kFast);
  EXPECT_EQ(LoadModule(ParameterWayCalled("tied").build())->meta_path(),
            MetaPath::kReference);
}

// Steps are taken in float32 from the rounded weights.
TEST_P(MetaParametersTest, ModelsOfHalfTheSizeStepInFloat32) {
  for (const char* name :
       {"tied", "one a slice of the other", "in a list", "a transformer"}) {
    SCOPED_TRACE(name);
    const Module module = ParameterWayCalled(name).build();
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
