// Small TorchScript models made in the test itself, from source text: no Python
// and no stored file, and the reference can be computed from the same weights.
// Weights come from LibTorch's default generator: seed it first.
// Thread-compatible.

#ifndef SALIENCY_TESTS_SUPPORT_TINY_MODELS_H_
#define SALIENCY_TESTS_SUPPORT_TINY_MODELS_H_

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "ATen/core/Tensor.h"
#include "ATen/core/ivalue.h"

namespace torch::jit {
struct Module;
}  // namespace torch::jit

namespace saliency {

// A module as a training script would leave it: what it holds, and the source
// of its methods.  A child is called as self.child.forward(x); one whose name
// is a number as getattr(self, "0").forward(x).
struct TinyModule {
  std::string kind;  // its class: "Conv2d"
  std::string code;
  std::map<std::string, at::Tensor> parameters;
  std::map<std::string, at::Tensor> buffers;
  std::map<std::string, c10::IValue> attributes;  // switches: bool, int
  std::vector<std::pair<std::string, TinyModule>> children;

  // The parameter or buffer at a dotted path, "block.conv.weight".
  // REQUIRES: it exists.
  const at::Tensor& At(const std::string& path) const;
};

struct ConvSpec {
  std::array<int64_t, 2> kernel = {3, 3};
  std::array<int64_t, 2> stride = {1, 1};
  std::string padding = "[1, 1]";  // as in the source: numbers or 'same'
  std::array<int64_t, 2> dilation = {1, 1};
  int64_t groups = 1;
};

TinyModule Conv(int64_t in, int64_t out, const ConvSpec& spec = {});
// With running statistics that are far from 0 and 1; saved in training mode.
TinyModule BatchNorm(int64_t channels);
TinyModule Linear(int64_t in, int64_t out);
TinyModule Relu();
TinyModule InPlaceRelu();
// Returns f(x) for an expression in x: Function("Silu", "torch.silu(x)").
TinyModule Function(const std::string& kind, const std::string& expression);
// Children "0", "1" and so on, each called once.
TinyModule Sequential(std::vector<TinyModule> children);
// The root: `body` is the body of forward(self, x).  Lines after the first may
// share an indentation: write it as a raw string.
TinyModule Net(std::vector<std::pair<std::string, TinyModule>> children,
               const std::string& body);

// In training mode and with parameters that ask for gradients.
torch::jit::Module Build(const TinyModule& tiny);

// A model file, gone when this goes.
class ModelFile {
 public:
  explicit ModelFile(const torch::jit::Module& module);
  explicit ModelFile(const TinyModule& tiny);
  ~ModelFile();
  ModelFile(const ModelFile&) = delete;
  ModelFile& operator=(const ModelFile&) = delete;

  const std::string& path() const { return path_; }

 private:
  const std::string path_;
};

}  // namespace saliency

#endif  // SALIENCY_TESTS_SUPPORT_TINY_MODELS_H_
