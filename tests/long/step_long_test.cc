// The meta step of torchvision's networks, parameter by parameter, against
// autograd on the same file.  Called as step_long_test [GTEST_ARGUMENT...]
// MODELS; MODELS is a folder that step_models.py made.
//
// In float32, where a unit's input is zero but for rounding, two orders of the
// same sums take different sides of a kink (ReLU, hard swish, maximum), and the
// gradients of what lies before it differ by as much as that unit counts.  So
// the networks are there twice: as they are, held against the float64 gradient
// with float32 autograd's own distance from it as the yardstick; and without
// kinks, where all must agree.

#include <ATen/ATen.h>
#include <dirent.h>
#include <torch/script.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "core/model/probed_model.h"
#include "gtest/gtest.h"
#include "tests/model/taken_steps.h"

namespace saliency {
namespace {

// Other orders of the same float32 sums, without kinks; where those sums
// cancel, as autograd in float32 shows by its own distance from float64, a few
// times that.
constexpr double kOtherOrder = 1e-3;
constexpr double kTimesAutograd = 3;
constexpr double kMapTimesAutograd = 10;
// With kinks: a parameter that does not move, or by another amount, is off
// by 1.
constexpr double kOtherSides = 0.5;
constexpr int64_t kTarget = 7;
constexpr double kShare = 1e-4;

std::string& ModelsFolder() {
  static auto* const folder = new std::string;
  return *folder;
}

std::vector<std::string> Names() {
  std::vector<std::string> names;
  DIR* const folder = opendir(ModelsFolder().c_str());
  if (folder == nullptr) return names;
  while (const dirent* entry = readdir(folder)) {
    const std::string name = entry->d_name;
    if (absl::EndsWith(name, ".pt")) names.push_back(name);
  }
  closedir(folder);
  std::sort(names.begin(), names.end());
  return names;
}

// "swin_t.smooth.script.pt": 64 x 64, but for what was made for 224.
int64_t SizeOf(const std::string& name) {
  if (absl::StrContains(name, ".224.")) return 224;
  return absl::StartsWith(name, "inception_v3") ? 96 : 64;
}

double Worst(const std::map<std::string, double>& differences,
             std::string* name = nullptr) {
  double worst = 0;
  for (const auto& [parameter, difference] : differences) {
    if (difference < worst) continue;
    worst = difference;
    if (name != nullptr) *name = parameter;
  }
  return worst;
}

torch::jit::Module Read(const std::string& file, at::ScalarType type) {
  torch::jit::Module module = torch::jit::load(file);
  module.eval();
  // Not Module::to(), which takes whole numbers along.
  const auto convert = [&](const at::Tensor& tensor) {
    if (tensor.is_floating_point()) tensor.set_data(tensor.detach().to(type));
  };
  for (const at::Tensor& parameter : module.parameters()) convert(parameter);
  for (const at::Tensor& buffer : module.buffers()) convert(buffer);
  return module;
}

// x . g at the input, after a step on that image.  [H,W] float64.
at::Tensor SteppedMap(torch::jit::Module module, const at::Tensor& image,
                      double size) {
  const ParameterGradients gradients =
      AutogradGradients(module, image, kTarget);
  for (const auto& parameter : module.named_parameters()) {
    const at::NoGradGuard no_grad;
    const auto gradient = gradients.find(parameter.name);
    if (gradient == gradients.end()) continue;
    parameter.value.sub_(gradient->second.to(parameter.value.scalar_type()),
                         size);
  }
  const at::Tensor x = image.detach().clone().requires_grad_(true);
  c10::IValue output = module.forward({x});
  if (output.isTuple()) output = output.toTupleRef().elements()[0];
  const at::Tensor score = output.toTensor()[0][kTarget];
  return (image * torch::autograd::grad({score}, {x})[0])[0].sum(0).to(
      at::kDouble);
}

class StepLongTest : public testing::TestWithParam<std::string> {
 protected:
  std::string File() const { return ModelsFolder() + "/" + GetParam(); }
  bool IsSmooth() const { return absl::StrContains(GetParam(), ".smooth."); }
  // The file whose operators have derivatives: traced without gradients,
  // attention is fused.
  std::string AutogradFile() const {
    std::string file = File();
    const size_t at = file.find(".fused.");
    return at == std::string::npos ? file : file.replace(at, 7, ".script.");
  }
  // Half the step's size at which theta moves by kShare of its length: behind
  // the default step, networks with random weights are other networks, of which
  // some amplify rounding a thousandfold or are not finite.
  double SmallEpsilon(const at::Tensor& image) const {
    const torch::jit::Module module = Read(AutogradFile(), at::kFloat);
    double theta = 0, gradient = 0;
    for (const auto& parameter : module.parameters()) {
      theta += parameter.detach().square().sum().item<double>();
    }
    for (const auto& [name, g] : AutogradGradients(module, image, kTarget)) {
      gradient += g.square().sum().item<double>();
    }
    return kShare / 2 * std::sqrt(theta / gradient);
  }
};

TEST_P(StepLongTest, EveryParameterMovesAsAutogradSays) {
  at::manual_seed(5);
  const int64_t size = SizeOf(GetParam());
  const at::Tensor images = at::randn({2, 3, size, size});
  const at::Tensor first = images.slice(0, 0, 1);
  const ParameterGradients exact = AutogradGradients(
      Read(AutogradFile(), at::kDouble), first.to(at::kDouble), kTarget);
  const double yardstick = Worst(Differences(
      AutogradGradients(Read(AutogradFile(), at::kFloat), first, kTarget),
      exact));
  const auto network = LoadNetwork(File());
  std::string name;
  const double reference = Worst(
      Differences(ReferenceGradients(*network, first, kTarget), exact), &name);
  // In a batch with a stranger.
  const auto fast = FastGradients(*network, images, {kTarget, 3});
  const double by_fast =
      fast.has_value() ? Worst(Differences((*fast)[0], exact), &name) : 0;
  std::printf(
      "%-34s parameters %4zu autograd %.1e reference %.1e fast %s%.1e (%s)\n",
      GetParam().c_str(), exact.size(), yardstick, reference,
      fast.has_value() ? "" : "none ", by_fast, name.c_str());
  const double limit = IsSmooth()
                           ? std::max(kOtherOrder, kTimesAutograd * yardstick)
                           : kOtherSides;
  EXPECT_LE(reference, limit);
  EXPECT_LE(by_fast, limit);
}

double Apart(const at::Tensor& map, const at::Tensor& exact) {
  const at::Tensor apart = (map - exact).abs().max();
  return (apart / exact.abs().max()).item<double>();
}

// Of two strangers in one batch and of one of them alone, at the input.
TEST_P(StepLongTest, MapsAreThoseOfTheSteppedModule) {
  at::manual_seed(6);
  LoadOptions options;
  options.input_height = options.input_width = SizeOf(GetParam());
  const at::Tensor images =
      at::randn({2, 3, options.input_height, options.input_width});
  const at::Tensor first = images.slice(0, 0, 1);
  const MetaStep step = {.epsilon = SmallEpsilon(first)};
  const at::Tensor exact = SteppedMap(Read(AutogradFile(), at::kDouble),
                                      first.to(at::kDouble), 2 * step.epsilon);
  const double yardstick = Apart(
      SteppedMap(Read(AutogradFile(), at::kFloat), first, 2 * step.epsilon),
      exact);
  const auto model = ProbedModel::Load(File(), options).value();
  const auto map = [&](int64_t count) {
    ProbeRequest request = {.input = images.slice(0, 0, count),
                            .probes = {{"input"}}};
    for (int64_t r = 0; r < count; ++r) {
      request.rows.push_back(
          {.image = r, .target = ClassIndex{kTarget - r}, .meta = step});
    }
    const auto record = model->Run(request).value().records[0];
    return (record.activation[0] * record.gradient[0]).sum(0).to(at::kDouble);
  };
  const double alone = Apart(map(1), exact), in_batch = Apart(map(2), exact);
  std::printf("%-34s map by autograd %.1e alone %.1e in a batch %.1e\n",
              GetParam().c_str(), yardstick, alone, in_batch);
  if (!IsSmooth()) return;
  const double limit = std::max(kOtherOrder, kMapTimesAutograd * yardstick);
  EXPECT_LE(alone, limit);
  EXPECT_LE(in_batch, limit);
}

INSTANTIATE_TEST_SUITE_P(
    Torchvision, StepLongTest, testing::ValuesIn(Names()),
    [](const auto& test) {
      return absl::StrReplaceAll(test.param, {{".pt", ""}, {".", "_"}});
    });

}  // namespace
}  // namespace saliency

int main(int argc, char** argv) {
  // The folder's files are the tests: read before these are registered.
  saliency::ModelsFolder() = argv[argc - 1];
  testing::InitGoogleTest(&argc, argv);
  if (argc != 2) {
    std::fprintf(stderr, "usage: step_long_test [GTEST_ARGUMENT...] MODELS\n");
    return 2;
  }
  return RUN_ALL_TESTS();
}
