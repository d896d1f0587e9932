#include "core/model/check/operator_watch.h"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/record_function.h>

#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "core/model/torch_status.h"

namespace saliency {
namespace {

// What the callbacks, which are plain functions, find on their thread.
struct WatchState {
  const std::function<absl::Status(const OperatorCall&)>* on_call = nullptr;
  int depth = 0;
  bool draws_random = false;
  absl::Status status;
};

thread_local WatchState* watch_state = nullptr;

struct WatchedCall : at::ObserverContext {
  std::optional<OperatorCall> call;
  std::vector<at::Tensor> written;
};

bool IsWritten(const c10::FunctionSchema& schema, size_t argument) {
  const auto* alias = schema.arguments()[argument].alias_info();
  return alias != nullptr && alias->isWrite();
}

// Dropouts leave the drawing to another operator, or do without; what has a
// switch for training draws when it is on.
bool DrawsRandom(const at::RecordFunction& fn) {
  const auto name = fn.operator_name();
  if (!name) return false;
  const auto op = c10::Dispatcher::singleton().findOp(*name);
  if (!op || !op->hasTag(at::Tag::nondeterministic_seeded)) return false;
  static const auto* const callers = new std::set<std::string>{
      "aten::dropout", "aten::feature_dropout", "aten::alpha_dropout",
      "aten::feature_alpha_dropout", "aten::rrelu"};
  if (callers->count(absl::StrCat(absl::StripSuffix(name->name, "_"))) != 0) {
    return false;
  }
  const auto& arguments = op->schema().arguments();
  const auto on_stack = fn.inputs();
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i].name();
    if (argument != "train" && argument != "training") continue;
    if (on_stack.size() < arguments.size()) break;
    const c10::IValue& value = on_stack[on_stack.size() - arguments.size() + i];
    return !value.isBool() || value.toBool();
  }
  return true;
}

// Copies what the call will write to.
void NoteInputs(const at::RecordFunction& fn, WatchedCall& watched) {
  auto schema = fn.operator_schema();
  if (!schema) return;
  const size_t count = schema->arguments().size();
  const auto on_stack = fn.inputs();  // below them lies what others left there
  if (on_stack.size() < count) return;
  OperatorCall call = {*schema};
  for (size_t i = 0; i < count; ++i) {
    const c10::IValue& input = on_stack[on_stack.size() - count + i];
    call.handles.push_back(input);
    if (!IsWritten(*schema, i)) {
      call.inputs.push_back(input);
      continue;
    }
    for (const at::Tensor& tensor : TensorsIn(input)) {
      watched.written.push_back(tensor);
    }
    call.inputs.push_back(ReplaceTensors(
        input, [](const at::Tensor& tensor) { return tensor.clone(); }));
  }
  watched.call = std::move(call);
}

std::unique_ptr<at::ObserverContext> OnOperatorStart(
    const at::RecordFunction& fn) {
  WatchState* const state = watch_state;
  if (state == nullptr) return nullptr;
  const bool is_top = state->depth++ == 0;
  if (is_top) state->draws_random = false;
  if (!state->status.ok()) return nullptr;
  state->draws_random |= DrawsRandom(fn);
  if (!is_top) return nullptr;
  const at::DisableRecordFunctionGuard unwatched;
  auto watched = std::make_unique<WatchedCall>();
  state->status.Update(CatchTorch(absl::StatusCode::kInvalidArgument,
                                  "watching the model's operators", [&] {
                                    NoteInputs(fn, *watched);
                                    return absl::OkStatus();
                                  }));
  return watched;
}

void OnOperatorEnd(const at::RecordFunction& fn, at::ObserverContext* context) {
  WatchState* const state = watch_state;
  if (state == nullptr) return;
  --state->depth;
  auto* const watched = static_cast<WatchedCall*>(context);
  if (watched == nullptr || !watched->call || !state->status.ok()) return;
  OperatorCall& call = *watched->call;
  const size_t count = call.schema.returns().size();
  const std::vector<c10::IValue>& on_stack = fn.outputs();
  if (on_stack.size() < count) return;  // it threw
  const at::DisableRecordFunctionGuard unwatched;
  state->status.Update(CatchTorch(
      absl::StatusCode::kInvalidArgument, "watching the model's operators",
      [&] {
        for (size_t i = on_stack.size() - count; i < on_stack.size(); ++i) {
          for (at::Tensor& tensor : TensorsIn(on_stack[i])) {
            call.results.push_back(std::move(tensor));
          }
        }
        call.results.insert(call.results.end(), watched->written.begin(),
                            watched->written.end());
        call.draws_random = state->draws_random;
        return (*state->on_call)(call);
      }));
}

}  // namespace

std::string OperatorCall::plain_name() const {
  return std::string(
      absl::StripSuffix(name().substr(name().find("::") + 2), "_"));
}

std::vector<at::Tensor> TensorsIn(const c10::IValue& value) {
  std::vector<at::Tensor> tensors;
  if (value.isTensor()) {
    if (value.toTensor().defined()) tensors.push_back(value.toTensor());
  } else if (value.isList()) {
    for (const c10::IValue& element : value.toListRef()) {
      for (at::Tensor& tensor : TensorsIn(element)) {
        tensors.push_back(std::move(tensor));
      }
    }
  }
  return tensors;
}

c10::IValue ReplaceTensors(
    const c10::IValue& value,
    const std::function<at::Tensor(const at::Tensor&)>& replacement) {
  if (value.isTensor()) {
    const at::Tensor tensor = value.toTensor();
    return tensor.defined() ? c10::IValue(replacement(tensor)) : value;
  }
  if (!value.isList() || TensorsIn(value).empty()) return value;
  c10::impl::GenericList list(value.toList().elementType());
  for (const c10::IValue& element : value.toListRef()) {
    list.push_back(ReplaceTensors(element, replacement));
  }
  return list;
}

std::vector<at::Tensor> RunAgain(const OperatorCall& call,
                                 const std::vector<c10::IValue>& inputs) {
  const at::DisableRecordFunctionGuard unwatched;
  const auto op = c10::Dispatcher::singleton().findSchemaOrThrow(
      call.schema.name().c_str(), call.schema.overload_name().c_str());
  torch::jit::Stack stack;
  std::vector<at::Tensor> written;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!IsWritten(call.schema, i)) {
      stack.push_back(inputs[i]);
      continue;
    }
    stack.push_back(ReplaceTensors(inputs[i], [&](const at::Tensor& tensor) {
      written.push_back(tensor.clone());
      return written.back();
    }));
  }
  op.callBoxed(&stack);
  std::vector<at::Tensor> results;
  for (const c10::IValue& output : stack) {
    for (at::Tensor& tensor : TensorsIn(output)) {
      results.push_back(std::move(tensor));
    }
  }
  results.insert(results.end(), written.begin(), written.end());
  return results;
}

absl::Status WatchOperators(
    const std::function<absl::Status(const OperatorCall&)>& on_call,
    const std::function<void()>& run) {
  WatchState state = {.on_call = &on_call};
  const auto handle = at::addThreadLocalCallback(
      at::RecordFunctionCallback(&OnOperatorStart, &OnOperatorEnd)
          .needsInputs(true)
          .needsOutputs(true)
          .scopes({at::RecordScope::FUNCTION}));
  watch_state = &state;
  absl::Status status;
  {
    const at::RecordFunctionGuard watched(true);
    status = CatchTorch(absl::StatusCode::kInvalidArgument,
                        "running the model's operators", [&] {
                          run();
                          return absl::OkStatus();
                        });
  }
  watch_state = nullptr;
  at::removeCallback(handle);
  status.Update(state.status);
  return status;
}

}  // namespace saliency
