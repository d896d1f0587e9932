// Tells of every operator that LibTorch runs on this thread: its name, what it
// got and what it gave.  Operators that one calls in turn are not told of.
// Internal to the model room.  Of one thread.

#ifndef SALIENCY_CORE_MODEL_CHECK_OPERATOR_WATCH_H_
#define SALIENCY_CORE_MODEL_CHECK_OPERATOR_WATCH_H_

#include <functional>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "ATen/core/function_schema.h"
#include "ATen/core/ivalue.h"
#include "absl/status/status.h"

namespace saliency {

struct OperatorCall {
  c10::FunctionSchema schema;
  // As they were before the call: what it wrote to is a copy.
  std::vector<c10::IValue> inputs;
  // The same without copies: whose memory they are.
  std::vector<c10::IValue> handles;
  // What it gave: the tensors that it returned, in lists or not, then those
  // that it wrote to.
  std::vector<at::Tensor> results;
  bool draws_random = false;  // by itself or by what it calls

  const std::string& name() const { return schema.name(); }
  // "conv2d" of "aten::conv2d_".
  std::string plain_name() const;
};

// The tensors of an argument or a result, in order; none is undefined.
std::vector<at::Tensor> TensorsIn(const c10::IValue& value);
// The same value with each of its tensors replaced.
c10::IValue ReplaceTensors(
    const c10::IValue& value,
    const std::function<at::Tensor(const at::Tensor&)>& replacement);

// Runs the operator on other inputs, unwatched; results as those of the call.
// Writes to none of `inputs`.  Throws what LibTorch throws.
std::vector<at::Tensor> RunAgain(const OperatorCall& call,
                                 const std::vector<c10::IValue>& inputs);

// Watches while `run` runs.  `on_call` comes after each operator; its exception
// is returned, and ends the telling but not the run.
// Errors: as CatchTorch.
absl::Status WatchOperators(
    const std::function<absl::Status(const OperatorCall&)>& on_call,
    const std::function<void()>& run);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_CHECK_OPERATOR_WATCH_H_
