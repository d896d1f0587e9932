#include "tests/model/taken_steps.h"

#include <torch/script.h>
#include <torch/torch.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/model/graph/marked_graph.h"
#include "core/model/meta/meta_fast.h"
#include "core/model/meta/meta_reference.h"
#include "core/model/probe.h"

namespace saliency {
namespace {

// Large, so that theta - theta' keeps the gradient's digits; no pass is run
// there.
constexpr double kFarEpsilon = 5e3;
constexpr double kFarStep = 2 * kFarEpsilon;

ProbeRequest StepRequest(const at::Tensor& images,
                         const std::vector<int64_t>& targets) {
  ProbeRequest request = {.input = images};
  for (size_t r = 0; r < targets.size(); ++r) {
    request.rows.push_back({.image = static_cast<int64_t>(r),
                            .target = ClassIndex{targets[r]},
                            .meta = MetaStep{.epsilon = kFarEpsilon}});
  }
  return request;
}

at::Tensor AsDouble(const at::Tensor& tensor) {
  return tensor.detach().to(at::kCPU).to(
      tensor.is_complex() ? at::kComplexDouble : at::kDouble);
}

// One row's gradient of a convolution's weight.
at::Tensor ConvGradient(const SiteWeights& site, const ConvStep& step,
                        int64_t row) {
  if (step.is_explicit()) {
    return (AsDouble(site.weight) - AsDouble(step.weights[row])) / kFarStep;
  }
  const ConvGeometry& g = site.site.geometry;
  return std::get<1>(at::convolution_backward(
      AsDouble(step.g[row].unsqueeze(0)), AsDouble(step.x[row].unsqueeze(0)),
      AsDouble(site.weight), c10::nullopt, g.stride, g.padding_before,
      g.dilation,
      /*transposed=*/false, /*output_padding=*/{0, 0}, g.groups,
      {false, true, false}));
}

at::Tensor LinearGradient(const SiteWeights& site, const SiteStep& step,
                          int64_t row) {
  const at::Tensor x = AsDouble(step.x[row]), g = AsDouble(step.g[row]);
  const at::Tensor gradient =
      at::matmul(g.reshape({-1, g.size(-1)}).t(), x.reshape({-1, x.size(-1)}));
  return site.site.weight_is_transposed ? gradient.t() : gradient;
}

ParameterGradients RowGradients(const MarkedGraph& marked, const MetaRun& run,
                                int64_t row) {
  ParameterGradients all;
  for (size_t i = 0; i < run.weights->size(); ++i) {
    const SiteWeights& site = (*run.weights)[i];
    const SiteStep& step = run.steps[i];
    const auto name = [&](int attribute) {
      return marked.attribute_names[attribute];
    };
    if (site.bias_moves && step.bias_gradient.defined()) {
      all[name(site.site.bias)] = AsDouble(step.bias_gradient[row]);
    }
    if (!site.weight_moves) continue;
    at::Tensor& gradient = all[name(site.site.weight)];
    if (step.conv.is_explicit() || step.conv.is_gram()) {
      gradient = ConvGradient(site, step.conv, row);
    } else if (step.x.defined()) {
      gradient = LinearGradient(site, step, row);
    } else if (step.weight_gradient.defined()) {
      gradient = AsDouble(step.weight_gradient[row]);
    } else {
      all.erase(name(site.site.weight));
    }
  }
  return all;
}

double LargestOf(const at::Tensor& tensor) {
  return tensor.numel() == 0 ? 0 : tensor.abs().max().item<double>();
}

}  // namespace

std::unique_ptr<ProbedNetwork> LoadNetwork(const std::string& file) {
  torch::jit::Module module = torch::jit::load(file);
  module.eval();
  for (const at::Tensor& parameter : module.parameters()) {
    parameter.set_requires_grad(false);
  }
  MarkedGraph marked = MarkGraph(module).value();
  ConvertFloats(marked, at::kFloat);
  return std::make_unique<ProbedNetwork>(std::move(marked), at::kCPU,
                                         at::kFloat, OutputSelector{},
                                         PixelRangeOf({}));
}

ParameterGradients ReferenceGradients(ProbedNetwork& network,
                                      const at::Tensor& image, int64_t target) {
  const NetworkWeights theta = FloatWeights(network.marked());
  const ReferenceStep step =
      StepByReference(network, theta, StepRequest(image, {target})).value();
  ParameterGradients all;
  for (size_t i = 0; i < theta.attributes.size(); ++i) {
    if (network.marked().parameter[i] < 0) continue;
    const c10::IValue& before = theta.attributes[i];
    if (!before.isTensor()) continue;
    all[network.marked().attribute_names[i]] =
        (AsDouble(before.toTensor()) -
         AsDouble(step.stepped.attributes[i].toTensor())) /
        kFarStep;
  }
  return all;
}

std::optional<std::vector<ParameterGradients>> FastGradients(
    ProbedNetwork& network, const at::Tensor& images,
    const std::vector<int64_t>& targets) {
  const auto path =
      MetaFastPath::Create(network, at::cat({images, images}).slice(0, 0, 2))
          .value();
  if (path == nullptr) return std::nullopt;
  const auto run = path->TakeSteps(StepRequest(images, targets)).value();
  if (run == nullptr) return std::nullopt;
  std::vector<ParameterGradients> rows;
  for (size_t r = 0; r < targets.size(); ++r) {
    rows.push_back(
        RowGradients(network.marked(), *run, static_cast<int64_t>(r)));
  }
  return rows;
}

ParameterGradients AutogradGradients(const torch::jit::Module& module,
                                     const at::Tensor& image, int64_t target) {
  const at::AutoGradMode with_grad(true);
  std::vector<std::string> names;
  std::vector<at::Tensor> parameters;
  for (const auto& parameter : module.named_parameters()) {
    if (!parameter.value.is_floating_point() && !parameter.value.is_complex()) {
      continue;
    }
    names.push_back(parameter.name);
    parameters.push_back(parameter.value.set_requires_grad(true));
  }
  torch::jit::Module copy = module;
  c10::IValue output = copy.forward({image});
  if (output.isTuple()) output = output.toTupleRef().elements()[0];
  const at::Tensor loss = at::cross_entropy_loss(
      output.toTensor(), at::tensor({target}, at::kLong));
  const std::vector<at::Tensor> gradients = torch::autograd::grad(
      {loss}, parameters, /*grad_outputs=*/{}, /*retain_graph=*/false,
      /*create_graph=*/false, /*allow_unused=*/true);
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> before;
  std::set<const void*> stepped;
  for (const at::Tensor& parameter : parameters) {
    before.push_back(parameter.clone());
  }
  for (size_t i = 0; i < parameters.size(); ++i) {
    const bool is_first =
        stepped.insert(parameters[i].unsafeGetTensorImpl()).second;
    if (gradients[i].defined() && is_first) {
      parameters[i].sub_(gradients[i], /*alpha=*/kFarStep);
    }
  }
  ParameterGradients all;
  for (size_t i = 0; i < names.size(); ++i) {
    all[names[i]] = (AsDouble(before[i]) - AsDouble(parameters[i])) / kFarStep;
  }
  for (size_t i = 0; i < names.size(); ++i) parameters[i].copy_(before[i]);
  return all;
}

std::map<std::string, double> Differences(const ParameterGradients& actual,
                                          const ParameterGradients& expected) {
  double largest = 0;
  for (const auto& [name, gradient] : expected) {
    largest = std::max(largest, LargestOf(gradient));
  }
  std::map<std::string, double> differences;
  for (const auto& [name, gradient] : expected) {
    const auto found = actual.find(name);
    const at::Tensor got =
        found == actual.end() ? at::zeros_like(gradient) : found->second;
    differences[name] = LargestOf(got - gradient) /
                        std::max({LargestOf(gradient), 1e-6 * largest, 1e-30});
  }
  for (const auto& [name, gradient] : actual) {
    if (expected.count(name) == 0) {
      differences[name] = LargestOf(gradient) / largest;
    }
  }
  return differences;
}

testing::AssertionResult GradientsClose(const ParameterGradients& actual,
                                        const ParameterGradients& expected,
                                        double tolerance) {
  std::string apart;
  for (const auto& [name, difference] : Differences(actual, expected)) {
    if (difference <= tolerance) continue;
    absl::StrAppend(&apart, "\n  ", name, ": ", difference,
                    actual.count(name) == 0 ? " (does not move)" : "");
  }
  if (apart.empty()) return testing::AssertionSuccess();
  return testing::AssertionFailure()
         << "gradients differ by more than " << tolerance
         << " of their largest:" << apart;
}

}  // namespace saliency
