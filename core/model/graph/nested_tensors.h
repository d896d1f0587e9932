// The tensors in an attribute of a module: the attribute itself, or those in
// the list, tuple or dictionary that it is, one in another included.
// Internal to the model room.  Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_MODEL_GRAPH_NESTED_TENSORS_H_
#define SALIENCY_CORE_MODEL_GRAPH_NESTED_TENSORS_H_

#include <functional>

#include "ATen/core/Tensor.h"
#include "ATen/core/ivalue.h"

namespace saliency {

// Visits each tensor that is defined, in the order of MapTensors.
void ForEachTensor(const c10::IValue& value,
                   const std::function<void(const at::Tensor&)>& visit);

// The same value with each tensor that is defined replaced.  What holds none,
// and objects of classes whatever they hold, are handed on as they are.
c10::IValue MapTensors(
    const c10::IValue& value,
    const std::function<at::Tensor(const at::Tensor&)>& replace);

// The first object of a class in the value; null when there is none.
c10::intrusive_ptr<c10::ivalue::Object> ObjectIn(const c10::IValue& value);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_GRAPH_NESTED_TENSORS_H_
