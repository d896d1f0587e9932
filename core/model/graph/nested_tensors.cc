#include "core/model/graph/nested_tensors.h"

#include <ATen/core/Dict.h>
#include <ATen/core/List.h>

#include <utility>
#include <vector>

namespace saliency {
namespace {

using ReplaceTensor = std::function<at::Tensor(const at::Tensor&)>;

c10::IValue MapList(const c10::impl::GenericList& list,
                    const ReplaceTensor& replace) {
  c10::impl::GenericList mapped(list.elementType());
  mapped.reserve(list.size());
  for (const c10::IValue& element : list.vec()) {
    mapped.push_back(MapTensors(element, replace));
  }
  return mapped;
}

c10::IValue MapTuple(const c10::ivalue::Tuple& tuple,
                     const ReplaceTensor& replace) {
  std::vector<c10::IValue> elements;
  for (const c10::IValue& element : tuple.elements()) {
    elements.push_back(MapTensors(element, replace));
  }
  const auto type = tuple.type<c10::TupleType>();
  return type->schema()
             ? c10::ivalue::Tuple::createNamed(std::move(elements), type)
             : c10::ivalue::Tuple::create(std::move(elements));
}

c10::IValue MapDictionary(const c10::impl::GenericDict& dictionary,
                          const ReplaceTensor& replace) {
  c10::impl::GenericDict mapped(dictionary.keyType(), dictionary.valueType());
  for (const auto& entry : dictionary) {
    mapped.insert(entry.key(), MapTensors(entry.value(), replace));
  }
  return mapped;
}

}  // namespace

c10::IValue MapTensors(const c10::IValue& value, const ReplaceTensor& replace) {
  if (value.isTensor()) {
    return value.toTensor().defined() ? replace(value.toTensor()) : value;
  }
  if (value.isList()) return MapList(value.toList(), replace);
  if (value.isTuple()) return MapTuple(value.toTupleRef(), replace);
  if (value.isGenericDict()) {
    return MapDictionary(value.toGenericDict(), replace);
  }
  return value;
}

void ForEachTensor(const c10::IValue& value,
                   const std::function<void(const at::Tensor&)>& visit) {
  MapTensors(value, [&](const at::Tensor& tensor) {
    visit(tensor);
    return tensor;
  });
}

c10::intrusive_ptr<c10::ivalue::Object> ObjectIn(const c10::IValue& value) {
  std::vector<c10::IValue> inner;
  if (value.isObject()) return value.toObject();
  if (value.isList()) inner = value.toList().vec();
  if (value.isTuple()) inner = value.toTupleRef().elements().vec();
  if (value.isGenericDict()) {
    for (const auto& entry : value.toGenericDict()) {
      inner.push_back(entry.value());
    }
  }
  for (const c10::IValue& element : inner) {
    if (auto object = ObjectIn(element)) return object;
  }
  return {};
}

}  // namespace saliency
