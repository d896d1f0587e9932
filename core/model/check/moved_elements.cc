#include "core/model/check/moved_elements.h"

#include <ATen/ATen.h>

#include <set>
#include <string>
#include <vector>

namespace saliency {
namespace {

bool IsNameOfMove(const std::string& name) {
  static const auto* const names =
      new std::set<std::string>{"reshape",
                                "flatten",
                                "cat",
                                "concat",
                                "concatenate",
                                "stack",
                                "hstack",
                                "vstack",
                                "dstack",
                                "roll",
                                "flip",
                                "fliplr",
                                "flipud",
                                "rot90",
                                "pad",
                                "constant_pad_nd",
                                "index",
                                "index_select",
                                "gather",
                                "take_along_dim",
                                "repeat",
                                "repeat_interleave",
                                "tile",
                                "channel_shuffle",
                                "unfold",
                                "movedim",
                                "moveaxis",
                                "masked_select",
                                "transpose_copy",
                                "permute_copy",
                                "slice_copy",
                                "expand_copy",
                                "view_copy"};
  return names->count(name) != 0;
}

}  // namespace

bool MovesElements(const OperatorCall& call) {
  return !call.handles.empty() && call.results.size() == 1 &&
         !call.schema.is_mutable() && IsNameOfMove(call.plain_name());
}

at::Tensor MoveLabels(
    const OperatorCall& call,
    const std::function<at::Tensor(const at::Tensor&)>& labels_of) {
  std::vector<c10::IValue> inputs = call.inputs;
  inputs.front() = ReplaceTensors(call.handles.front(), labels_of);
  for (size_t i = 1; i < inputs.size(); ++i) {
    const bool fills = call.schema.arguments()[i].name() == "value";
    if (fills && !inputs[i].isNone()) inputs[i] = c10::Scalar(0.0);
  }
  return RunAgain(call, inputs).at(0);
}

}  // namespace saliency
