#include "tests/model/pass_log.h"

#include <ATen/ATen.h>
#include <ATen/record_function.h>

#include <algorithm>
#include <memory>
#include <mutex>

namespace saliency {
namespace {

struct Seen {
  std::mutex mu;
  std::vector<int64_t> convolution_rows;
  std::vector<std::string> backward;
  int weight_gradients = 0;
};

// LibTorch's callbacks are plain functions.
Seen& Log() {
  static auto* const seen = new Seen;
  return *seen;
}

std::unique_ptr<at::ObserverContext> OnOperator(const at::RecordFunction& fn) {
  const std::string name = fn.name();
  const std::lock_guard lock(Log().mu);
  if (fn.scope() == at::RecordScope::BACKWARD_FUNCTION) {
    Log().backward.push_back(name);
  } else if (name == "aten::convolution") {
    Log().convolution_rows.push_back(fn.inputs()[0].toTensor().size(0));
  } else if (name == "aten::convolution_backward") {
    // The last argument says which of input, weight and bias are wanted.
    const bool weight = fn.inputs().back().toBoolList()[1];
    Log().weight_gradients += weight ? 1 : 0;
  }
  return nullptr;
}

}  // namespace

PassLog::PassLog()
    : callback_(at::addGlobalCallback(
          at::RecordFunctionCallback(&OnOperator)
              .needsInputs(true)
              .scopes({at::RecordScope::FUNCTION,
                       at::RecordScope::BACKWARD_FUNCTION}))) {
  const std::lock_guard lock(Log().mu);
  Log().convolution_rows.clear();
  Log().backward.clear();
  Log().weight_gradients = 0;
}

PassLog::~PassLog() { at::removeCallback(callback_); }

std::vector<int64_t> PassLog::convolution_rows() const {
  const std::lock_guard lock(Log().mu);
  return Log().convolution_rows;
}

int PassLog::Backward(const std::string& kind) const {
  const std::lock_guard lock(Log().mu);
  return static_cast<int>(std::count_if(
      Log().backward.begin(), Log().backward.end(),
      [&](const std::string& name) { return name.rfind(kind, 0) == 0; }));
}

int PassLog::weight_gradients() const {
  const std::lock_guard lock(Log().mu);
  return Log().weight_gradients;
}

}  // namespace saliency
