// TorchScript modules made piece by piece, for tests of how a model holds and
// reads its parameters: a root module, and what is put into it.
// Thread-compatible.

#ifndef SALIENCY_TESTS_MODEL_ROOT_MODULE_H_
#define SALIENCY_TESTS_MODEL_ROOT_MODULE_H_

#include <torch/csrc/jit/frontend/resolver.h>
#include <torch/csrc/jit/frontend/sugared_value.h>
#include <torch/script.h>

#include <memory>
#include <string>
#include <utility>

namespace saliency::root_module {

using torch::jit::Module;

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

// Random, asks for gradients.
at::Tensor Weight(at::IntArrayRef sizes, double scale = 0.4);

// With parameters "stem", which makes 4 channels of an image, "head" [5,4] and
// "shift" [5].
Root WithHead();
// Of WithHead: the stem, `lines` that make [N,4,h,w] of its result y, and the
// head to logits.
std::string Body(const std::string& lines);

}  // namespace saliency::root_module

#endif  // SALIENCY_TESTS_MODEL_ROOT_MODULE_H_
