// What each method costs through the engine, in plain eager forwards of the
// same network and batch; of methods with samples, what one sample costs.
//
//   method_bench MODELS [--device cpu] [--filter REGEX] [--rounds N]
//                [--json FILE]
//
// MODELS is a folder with resnet50/1/model.pt.

#include <ATen/Parallel.h>
#include <torch/script.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/notification.h"
#include "core/attribution/registry.h"
#include "core/base/cpu_limit.h"
#include "core/base/heap.h"
#include "core/engine/engine.h"
#include "core/engine/inputs_rule.h"
#include "tests/bench/bench_arguments.h"
#include "tests/bench/ratio.h"

namespace saliency {
namespace {

constexpr char kNetwork[] = "resnet50";
constexpr int64_t kSide = 224;
constexpr int64_t kBatch = 8;

// Layers where methods are measured: the first where one applies, and the
// pixels.
constexpr const char* kLayers[] = {"layer3", "layer4", "layer3.5.conv3",
                                   "layer3.5.bn3"};
constexpr char kPixels[] = "input";

// What is timed, and what it may cost.
struct MethodCase {
  std::string name;
  Attribution attribution;
  std::string layer;
  int64_t images = kBatch;
  double target = std::numeric_limits<double>::infinity();
};

std::string ModelFile(const BenchArguments& arguments) {
  return arguments.models + "/" + kNetwork + "/1/model.pt";
}

std::shared_ptr<LoadedModel> Load(const BenchArguments& arguments) {
  auto loaded = std::make_shared<LoadedModel>();
  loaded->name = kNetwork;
  loaded->version = 1;
  LoadOptions options;
  options.device = arguments.device;
  loaded->replicas.push_back(
      OrDie(ProbedModel::Load(ModelFile(arguments), options)));
  return loaded;
}

// The engine with this one network; a job at a time.
class OneModelEngine {
 public:
  explicit OneModelEngine(const BenchArguments& arguments)
      : model_(Load(arguments)),
        metadata_(MetadataOf(*model_)),
        engine_({}, Clock::Real(), observer_) {
    engine_.models().Publish(
        {.model = kNetwork,
         .version = 1,
         .metadata = std::make_shared<const ModelMetadata>(metadata_)},
        engine_.StartModel(model_));
  }

  const ModelMetadata& metadata() const { return metadata_; }

  void Explain(const MethodCase& bench, const at::Tensor& images) {
    const at::Tensor input = images.narrow(0, 0, bench.images);
    Job job;
    job.input = TensorInput{.shape = input.sizes().vec(),
                            .data = {static_cast<const char*>(input.data_ptr()),
                                     static_cast<std::size_t>(input.nbytes())}};
    job.attributions = {
        {.attribution = bench.attribution, .layers = {bench.layer}}};
    job.output.size = OutputSize::kLayer;
    job.output.encoding = MapEncoding::kNone;
    absl::Notification answered;
    absl::Status status;
    engine_.Submit(std::move(job), [&](absl::StatusOr<Explanation> answer) {
      status = answer.status();
      if (answer.ok()) status = answer->results.front().status;
      answered.Notify();
    });
    answered.WaitForNotification();
    if (!status.ok()) Die(status);
  }

 private:
  const std::shared_ptr<LoadedModel> model_;
  const ModelMetadata metadata_;
  EngineObserver observer_;
  Engine engine_;
};

// At the first of kLayers where it applies, and at the pixels where that is
// another matter: its backward pass goes through the whole network.
std::vector<MethodCase> CasesOf(const Method& method,
                                const ModelMetadata& model) {
  const Attribution attribution = OrDie(Attribution::Named(method.name));
  const std::vector<std::string> at = LayersFor(NeedsOf(method), model);
  const auto applies = [&](const std::string& layer) {
    return std::find(at.begin(), at.end(), layer) != at.end();
  };
  std::vector<MethodCase> cases;
  for (const char* layer : kLayers) {
    if (!applies(layer)) continue;
    cases.push_back({method.name, attribution, layer});
    break;
  }
  const bool goes_through_all =
      method.rule.kind != BackwardRule::Kind::kGradient || cases.empty() ||
      absl::string_view(method.name) == "gradient";
  if (goes_through_all && applies(kPixels)) {
    cases.push_back({method.name, attribution, kPixels});
  }
  for (MethodCase& one : cases) {
    if (one.name == "excitation_backprop") one.target = 2.2;
  }
  return cases;
}

// `samples` of one image, at the pixels.
struct SampledCase {
  MethodCase bench;
  int samples;
};

std::vector<SampledCase> SampledCases() {
  const auto at_pixels = [](Attribution attribution, int samples) {
    return SampledCase{{attribution.name(), std::move(attribution), kPixels, 1},
                       samples};
  };
  return {
      at_pixels(OrDie(Attribution::Smoothed(
                    {.samples = 16}, OrDie(Attribution::Named("gradient")))),
                16),
      at_pixels(OrDie(Attribution::Integrated({.steps = 16})), 16),
      // 4 x 4 windows.
      at_pixels(OrDie(Attribution::Perturbed(
                    Occlusion{.patch_size = 56, .stride = 56})),
                16),
      at_pixels(OrDie(Attribution::Perturbed(Rise{.masks = 64})), 64),
      at_pixels(OrDie(Attribution::Perturbed(Lime{.samples = 64})), 64),
      at_pixels(OrDie(Attribution::Perturbed(KernelShap{.samples = 64})), 64),
  };
}

class MethodBench {
 public:
  explicit MethodBench(const BenchArguments& arguments)
      : arguments_(arguments),
        filter_(arguments.filter),
        engine_(arguments),
        eager_(torch::jit::load(ModelFile(arguments),
                                c10::Device(arguments.device))) {
    eager_.eval();
    torch::manual_seed(1);
    images_ = torch::randn({kBatch, 3, kSide, kSide});
  }

  int Run() {
    for (const Method* method : AllMethods()) {
      for (const MethodCase& bench : CasesOf(*method, engine_.metadata())) {
        AgainstForward(bench, 1);
      }
    }
    for (const SampledCase& sampled : SampledCases()) {
      AgainstForward(sampled.bench, sampled.samples);
    }
    const MethodCase gradient = {
        "gradient", OrDie(Attribution::Named("gradient")), kPixels};
    Against({"guided_backprop", OrDie(Attribution::Named("guided_backprop")),
             kPixels, kBatch, 1.05},
            gradient, "ratio_to_gradient");
    MethodCase one_image = gradient;
    one_image.images = 1;
    Against({"smooth_grad50", OrDie(Attribution::Named("smooth_grad")), kPixels,
             1, 50},
            one_image, "ratio_to_gradient");
    if (!arguments_.json.empty() && !WriteJson(arguments_.json, rows_)) {
      return 1;
    }
    return all_ok_ ? 0 : 3;
  }

 private:
  static std::string NameOf(const MethodCase& bench) {
    return absl::StrCat(kNetwork, "/", bench.name, "/", bench.layer, "/b",
                        bench.images);
  }

  void Note(BenchRow row) {
    PrintRow(row);
    all_ok_ = all_ok_ && row.ok();
    rows_.push_back(std::move(row));
  }

  // For each of `samples`.
  void AgainstForward(const MethodCase& bench, int samples) {
    if (!std::regex_search(NameOf(bench), filter_)) return;
    const at::Tensor input =
        images_.narrow(0, 0, bench.images).to(c10::Device(arguments_.device));
    const double ratio = RatioOfMedians(
        arguments_.rounds, [&] { engine_.Explain(bench, images_); },
        [&] {
          const at::NoGradGuard no_grad;
          const torch::jit::GraphOptimizerEnabledGuard eager_kernels(false);
          eager_.forward({input}).toTensor().cpu();
        });
    Note({NameOf(bench), samples > 1 ? "forwards_a_sample" : "forwards",
          ratio / samples, bench.target});
  }

  void Against(const MethodCase& bench, const MethodCase& yardstick,
               const char* quantity) {
    if (!std::regex_search(NameOf(bench), filter_)) return;
    Note({NameOf(bench), quantity,
          RatioOfMedians(
              arguments_.rounds, [&] { engine_.Explain(bench, images_); },
              [&] { engine_.Explain(yardstick, images_); }),
          bench.target});
  }

  const BenchArguments arguments_;
  const std::regex filter_;
  OneModelEngine engine_;
  torch::jit::Module eager_;
  at::Tensor images_;
  std::vector<BenchRow> rows_;
  bool all_ok_ = true;
};

int Main(int argc, char** argv) {
  const BenchArguments arguments = ParseBenchArguments(argc, argv);
  at::set_num_threads(AvailableCpus());
  KeepFreedMemory();  // as the server does
  return MethodBench(arguments).Run();
}

}  // namespace
}  // namespace saliency

int main(int argc, char** argv) { return saliency::Main(argc, argv); }
