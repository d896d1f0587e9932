// What passes with probes cost against a plain eager forward of the same
// network, batch and thread count, in the same run; and what a combination of
// layers costs against the shallowest of them alone; and how much memory a meta
// step takes.
//
//   pass_bench MODELS [--device cpu] [--filter REGEX] [--rounds N] [--json
//   FILE]
//
// MODELS is a folder with resnet50/1/model.pt and vgg16/1/model.pt.

#include <ATen/Parallel.h>
#include <torch/cuda.h>
#include <torch/script.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <regex>
#include <string>

#include "core/attribution/attribution.h"
#include "core/attribution/combine.h"
#include "core/attribution/postprocess.h"
#include "core/base/cpu_limit.h"
#include "core/base/heap.h"
#include "core/kernels/stepped_conv.h"
#include "core/model/probed_model.h"
#include "tests/bench/bench_arguments.h"
#include "tests/bench/ratio.h"
#include "tests/support/cpu_memory.h"

namespace saliency {
namespace {

// One case: `images` of one batch, each with `targets` classes.
struct PassCase {
  std::string name;
  std::string network;
  std::vector<std::string> layers;
  std::vector<std::string> methods;
  int images;
  int targets;
  double target;
  bool meta = false;  // explained at theta', one step of the default size
};

// A weight gradient of VGG16's wide kernels takes longer without AVX-512.
double VggMetaTarget() { return ChannelsLastIsSlow() ? 4.2 : 4.0; }

const std::vector<PassCase>& Cases() {
  static const auto* const cases = new std::vector<PassCase>{
      {"resnet50/norm_grad/layer4/b8/fp32",
       "resnet50",
       {"layer4"},
       {"norm_grad"},
       8,
       1,
       1.15},
      {"vgg16/norm_grad/features.29/b8/fp32",
       "vgg16",
       {"features.29"},
       {"norm_grad"},
       8,
       1,
       1.15},
      {"resnet50/targets20/layer4",
       "resnet50",
       {"layer4"},
       {"norm_grad"},
       1,
       20,
       1.3},
      {"vgg16/targets20/features.29",
       "vgg16",
       {"features.29"},
       {"norm_grad"},
       1,
       20,
       1.3},
      {"resnet50/gradient/input/b8/fp32",
       "resnet50",
       {"input"},
       {"gradient"},
       8,
       1,
       2.2},
      {"resnet50/5methods_2targets/layer1-4/b8/fp32",
       "resnet50",
       {"layer1", "layer2", "layer3", "layer4"},
       {"gradient", "gradient_sum", "linear_approximation", "norm_grad",
        "selective_norm_grad"},
       8,
       2,
       3.4},
      {"resnet50/meta/norm_grad/layer4/b1/fp32",
       "resnet50",
       {"layer4"},
       {"norm_grad"},
       1,
       1,
       4.0,
       /*meta=*/true},
      {"resnet50/meta/norm_grad/layer4/b8/fp32",
       "resnet50",
       {"layer4"},
       {"norm_grad"},
       8,
       1,
       4.0,
       /*meta=*/true},
      {"vgg16/meta/norm_grad/features.29/b1/fp32",
       "vgg16",
       {"features.29"},
       {"norm_grad"},
       1,
       1,
       VggMetaTarget(),
       /*meta=*/true},
      {"vgg16/meta/norm_grad/features.29/b8/fp32",
       "vgg16",
       {"features.29"},
       {"norm_grad"},
       8,
       1,
       VggMetaTarget(),
       /*meta=*/true},
  };
  return *cases;
}

// Layers shallow to deep; the first alone is the yardstick.
const std::vector<PassCase>& Combinations() {
  static const auto* const cases = new std::vector<PassCase>{
      {"resnet50/combine_norm_grad/layer1-4/b1/fp32",
       "resnet50",
       {"layer1", "layer2", "layer3", "layer4"},
       {"norm_grad"},
       1,
       1,
       1.10},
  };
  return *cases;
}

void Wait(const std::string& device) {
  if (device != "cpu") torch::cuda::synchronize();
}

ProbeRequest RequestFor(const PassCase& bench, const at::Tensor& input) {
  ProbeRequest request;
  request.input = input;
  for (int image = 0; image < bench.images; ++image) {
    for (int target = 0; target < bench.targets; ++target) {
      request.rows.push_back({image, ClassIndex{(37 * target + 5) % 1000}});
      if (bench.meta) request.rows.back().meta = MetaStep();
    }
  }
  for (const std::string& layer : bench.layers) {
    request.probes.push_back({layer});
  }
  return request;
}

// Passes, maps, and the maps on the CPU: what the engine does for a batch.
void Explain(ProbedModel& model, const ProbeRequest& request,
             const std::vector<Attribution>& methods) {
  const at::NoGradGuard no_grad;
  const ProbeResult result = OrDie(model.Run(request));
  std::vector<at::Tensor> maps;
  for (const ProbeResult::Record& record : result.records) {
    const MethodContext context{{record.activation, record.gradient}, {}, {}};
    for (const Attribution& method : methods) {
      maps.push_back(method.Attribute(context).flatten());
    }
  }
  const at::Tensor on_cpu = at::cat(maps).cpu();
  if (!on_cpu.isfinite().all().item<bool>()) {
    std::fprintf(stderr, "pass_bench: a map is not finite\n");
    std::exit(1);
  }
}

BenchRow Measure(const PassCase& bench, const BenchArguments& arguments) {
  const std::string path =
      arguments.models + "/" + bench.network + "/1/model.pt";
  LoadOptions options;
  options.device = arguments.device;
  const auto model = OrDie(ProbedModel::Load(path, options));
  auto eager = torch::jit::load(path, c10::Device(arguments.device));
  eager.eval();

  torch::manual_seed(1);
  const at::Tensor input = torch::randn({bench.images, 3, 224, 224});
  const ProbeRequest request = RequestFor(bench, input);
  std::vector<Attribution> methods;
  for (const std::string& name : bench.methods) {
    methods.push_back(OrDie(Attribution::Named(name)));
  }
  const double ratio = RatioOfMedians(
      arguments.rounds, [&] { Explain(*model, request, methods); },
      [&] {
        const at::NoGradGuard no_grad;
        const torch::jit::GraphOptimizerEnabledGuard eager_kernels(false);
        eager.forward({input.to(c10::Device(arguments.device))});
        Wait(arguments.device);
      });
  return {bench.name, "ratio_to_forward", ratio, bench.target};
}

// Pass, maps and one map of the input's size: the layer's own when there is
// only one, else their product.
void Combine(ProbedModel& model, const ProbeRequest& request,
             const Attribution& method) {
  const at::NoGradGuard no_grad;
  const ProbeResult result = OrDie(model.Run(request));
  std::vector<at::Tensor> maps;
  for (const ProbeResult::Record& record : result.records) {
    const MethodContext context{{record.activation, record.gradient}, {}, {}};
    maps.push_back(method.Attribute(context).cpu());
  }
  const int64_t height = request.input.size(2);
  const int64_t width = request.input.size(3);
  const auto layers = static_cast<int>(maps.size());
  const at::Tensor map =
      layers == 1
          ? NormaliseMaps(ResizeMaps(maps.front(), height, width))
          : CombineLayers(
                maps, height, width,
                OrDie(CombinationWeights::Create(Weighting::kLinear, layers)),
                CombineRule::kProduct)
                .maps;
  if (!map.isfinite().all().item<bool>()) {
    std::fprintf(stderr, "pass_bench: a map is not finite\n");
    std::exit(1);
  }
}

// A combination against its shallowest layer alone.
BenchRow MeasureCombination(const PassCase& bench,
                            const BenchArguments& arguments) {
  LoadOptions options;
  options.device = arguments.device;
  const auto model = OrDie(ProbedModel::Load(
      arguments.models + "/" + bench.network + "/1/model.pt", options));
  torch::manual_seed(1);
  const at::Tensor input = torch::randn({bench.images, 3, 224, 224});
  const ProbeRequest all = RequestFor(bench, input);
  ProbeRequest shallowest = all;
  shallowest.probes.resize(1);
  const Attribution method = OrDie(Attribution::Named(bench.methods.front()));
  const double ratio = RatioOfMedians(
      std::max(arguments.rounds, 15), [&] { Combine(*model, all, method); },
      [&] { Combine(*model, shallowest, method); });
  return {bench.name, "ratio_to_shallowest", ratio, bench.target};
}

// The largest of the cases with a meta step, by memory.
const std::vector<PassCase>& MemoryCases() {
  static auto* const cases = new std::vector<PassCase>{
      {"resnet50/meta/norm_grad/layer4/b8/fp32/memory",
       "resnet50",
       {"layer4"},
       {"norm_grad"},
       8,
       1,
       1.0,
       /*meta=*/true},
      {"vgg16/meta/norm_grad/features.29/b8/fp32/memory",
       "vgg16",
       {"features.29"},
       {"norm_grad"},
       8,
       1,
       1.0,
       /*meta=*/true},
  };
  return *cases;
}

// The most that tensors hold, model included.
int64_t PeakOf(ProbedModel& model, const ProbeRequest& request) {
  const at::NoGradGuard no_grad;
  OrDie(model.Run(request));  // prepares what is kept
  CpuMemory::Watch().ResetPeak();
  OrDie(model.Run(request));
  return CpuMemory::Watch().peak_bytes();
}

// The most that a meta step holds, over twice the model and the activations of
// a plain pass with gradients throughout.
BenchRow MeasureMemory(const PassCase& bench, const BenchArguments& arguments) {
  const CpuMemory& memory = CpuMemory::Watch();
  const int64_t before = memory.bytes();
  const auto model = OrDie(ProbedModel::Load(
      arguments.models + "/" + bench.network + "/1/model.pt", {}));
  const int64_t size = memory.bytes() - before;
  const ProbeRequest stepped =
      RequestFor(bench, torch::zeros({bench.images, 3, 224, 224}));
  ProbeRequest plain = stepped;
  plain.probes = {{"input"}};
  for (ProbeRow& row : plain.rows) row.meta.reset();
  const int64_t activations = PeakOf(*model, plain) - before - size;
  const int64_t peak = PeakOf(*model, stepped) - before;
  std::printf("  model %ld MiB, activations %ld MiB, peak %ld MiB\n",
              size >> 20, activations >> 20, peak >> 20);
  const double ratio =
      static_cast<double>(peak) / static_cast<double>(2 * size + activations);
  return {bench.name, "peak_to_twice_model_and_activations", ratio,
          bench.target};
}

int Main(int argc, char** argv) {
  const BenchArguments arguments = ParseBenchArguments(argc, argv);
  at::set_num_threads(AvailableCpus());
  KeepFreedMemory();  // as the server does
  const std::regex filter(arguments.filter);
  std::vector<BenchRow> rows;
  bool all_ok = true;
  for (const PassCase& bench : Cases()) {
    if (!std::regex_search(bench.name, filter)) continue;
    rows.push_back(Measure(bench, arguments));
    PrintRow(rows.back());
    all_ok = all_ok && rows.back().ok();
  }
  for (const PassCase& bench : Combinations()) {
    if (!std::regex_search(bench.name, filter)) continue;
    rows.push_back(MeasureCombination(bench, arguments));
    PrintRow(rows.back());
    all_ok = all_ok && rows.back().ok();
  }
  // Last: counting slows the allocator down.
  for (const PassCase& bench : MemoryCases()) {
    if (arguments.device != "cpu") break;
    if (!std::regex_search(bench.name, filter)) continue;
    rows.push_back(MeasureMemory(bench, arguments));
    PrintRow(rows.back());
    all_ok = all_ok && rows.back().ok();
  }
  if (!arguments.json.empty() && !WriteJson(arguments.json, rows)) return 1;
  return all_ok ? 0 : 3;
}

}  // namespace
}  // namespace saliency

int main(int argc, char** argv) { return saliency::Main(argc, argv); }
