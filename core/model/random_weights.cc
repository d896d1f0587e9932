#include "core/model/random_weights.h"

#include <torch/script.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace saliency {
namespace {

constexpr double kPReluSlope = 0.25;
constexpr double kOtherDeviation = 0.02;

using Tensors = std::map<std::string, at::Tensor>;

// FNV-1a, 64 bits: the same on every machine.
uint64_t HashOf(absl::string_view name, uint64_t seed) {
  uint64_t hash = 14695981039346656037ULL ^ seed;
  for (const char c : name) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  }
  // Seeds that differ in few bits must not give related streams.
  hash ^= hash >> 33;
  hash *= 0xff51afd7ed558ccdULL;
  return hash ^ hash >> 33;
}

bool IsBelow(absl::string_view name, const std::string& module) {
  return absl::StartsWith(name, absl::StrCat(module, "."));
}

// The last part of a dotted name, and what comes before it, with the dot.
absl::string_view LastPart(absl::string_view name) {
  return name.substr(name.rfind('.') + 1);
}
std::string Beside(absl::string_view name, absl::string_view other) {
  return absl::StrCat(name.substr(0, name.rfind('.') + 1), other);
}

// 1 / sqrt(fan_in) of a weight [out,in,...].
double Bound(const at::Tensor& weight) {
  const int64_t fan_in =
      weight.size(0) == 0 ? 0 : weight.numel() / weight.size(0);
  return fan_in == 0 ? 0 : 1 / std::sqrt(static_cast<double>(fan_in));
}

class Randomiser {
 public:
  Randomiser(uint64_t seed, Tensors parameters, const torch::jit::Module& root)
      : seed_(seed), parameters_(std::move(parameters)), root_(root) {}

  void Overwrite(const std::string& name, const at::Tensor& parameter) const {
    const absl::string_view last = LastPart(name);
    if (last == "weight" && parameter.dim() == 1) {
      parameter.fill_(IsPRelu(name) ? kPReluSlope : 1);
    } else if (last == "weight" && parameter.dim() >= 2) {
      Uniform(name, Bound(parameter), parameter);
    } else if (const at::Tensor weight = WeightBeside(name);
               last == "bias" && weight.defined()) {
      Uniform(name, weight.dim() >= 2 ? Bound(weight) : 0, parameter);
    } else {
      auto generator = at::detail::createCPUGenerator(HashOf(name, seed_));
      parameter.copy_(at::empty(parameter.sizes(), at::kFloat)
                          .normal_(0, kOtherDeviation, generator));
    }
  }

 private:
  void Uniform(const std::string& name, double bound,
               const at::Tensor& parameter) const {
    auto generator = at::detail::createCPUGenerator(HashOf(name, seed_));
    parameter.copy_(at::empty(parameter.sizes(), at::kFloat)
                        .uniform_(-bound, bound, generator));
  }

  at::Tensor WeightBeside(const std::string& name) const {
    const auto found = parameters_.find(Beside(name, "weight"));
    return found == parameters_.end() ? at::Tensor() : found->second;
  }

  // Its class, since its one parameter looks like that of a norm.
  bool IsPRelu(const std::string& name) const {
    const std::string path =
        name.substr(0, name.size() - sizeof(".weight") + 1);
    for (const auto& module : root_.named_modules()) {
      if (module.name != path) continue;
      const auto type = module.value.type()->name();
      return type.has_value() && type->name() == "PReLU";
    }
    return false;
  }

  const uint64_t seed_;
  const Tensors parameters_;
  const torch::jit::Module& root_;
};

}  // namespace

void RandomiseModules(const RandomWeights& random,
                      const torch::jit::Module& module) {
  if (random.modules.empty()) return;
  const at::NoGradGuard no_grad;
  Tensors parameters;
  for (const auto& parameter : module.named_parameters()) {
    parameters[parameter.name] = parameter.value;
  }
  const auto is_chosen = [&](const std::string& name) {
    return std::any_of(
        random.modules.begin(), random.modules.end(),
        [&](const std::string& chosen) { return IsBelow(name, chosen); });
  };
  const Randomiser randomiser(random.seed, parameters, module);
  for (const auto& [name, parameter] : parameters) {
    if (is_chosen(name)) randomiser.Overwrite(name, parameter);
  }
  for (const auto& buffer : module.named_buffers()) {
    if (!is_chosen(buffer.name)) continue;
    const absl::string_view last = LastPart(buffer.name);
    if (last == "running_mean") buffer.value.fill_(0);
    if (last == "running_var") buffer.value.fill_(1);
  }
}

}  // namespace saliency
