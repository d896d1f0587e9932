#include "core/model/check/origins.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

namespace saliency {

bool OriginStore::HasMemory(const at::Tensor& tensor) {
  return tensor.defined() && tensor.layout() == at::kStrided &&
         tensor.has_storage();
}

bool OriginStore::Knows(const at::Tensor& tensor) {
  return HasMemory(tensor) &&
         shadows_.count(tensor.storage().unsafeGetStorageImpl()) != 0;
}

Origins OriginStore::Of(const at::Tensor& tensor) {
  const c10::Storage& memory = tensor.storage();
  c10::StorageImpl* const key = memory.unsafeGetStorageImpl();
  const auto item_size = static_cast<int64_t>(tensor.element_size());
  auto found = shadows_.find(key);
  if (found == shadows_.end()) {
    DropDead();
    const auto none = [&](at::ScalarType type) {
      return at::empty({0}, at::TensorOptions(type).device(tensor.device()));
    };
    const auto counted =
        c10::intrusive_ptr<c10::StorageImpl>::reclaim_copy(key);
    found =
        shadows_
            .emplace(
                key,
                Shadow{c10::weak_intrusive_ptr<c10::StorageImpl>(counted),
                       item_size,
                       {none(at::kChar), none(at::kShort), none(at::kShort)}})
            .first;
  }
  Shadow& shadow = found->second;
  if (shadow.item_size != item_size) Regroup(shadow, item_size);
  Grow(shadow, static_cast<int64_t>(memory.nbytes()) / item_size);
  const auto view = [&](const at::Tensor& all) {
    return all.as_strided(tensor.sizes(), tensor.strides(),
                          tensor.storage_offset());
  };
  return {view(shadow.all.rows), view(shadow.all.y), view(shadow.all.x)};
}

// The memory is looked at as numbers of another size: two floats as a complex
// number, or the other way round.
void OriginStore::Regroup(Shadow& shadow, int64_t item_size) {
  Origins& all = shadow.all;
  const auto of_each = [](const at::Tensor& values, int64_t count) {
    return values.slice(0, 0, values.numel() / count * count).view({-1, count});
  };
  if (item_size > shadow.item_size) {
    const int64_t count = item_size / shadow.item_size;
    all.rows = UnionOver(of_each(all.rows, count), {1}).flatten();
    all.y = of_each(all.y, count).select(1, 0).contiguous();
    all.x = of_each(all.x, count).select(1, 0).contiguous();
  } else {
    const int64_t count = shadow.item_size / item_size;
    for (at::Tensor* values : {&all.rows, &all.y, &all.x}) {
      *values = values->repeat_interleave(count);
    }
  }
  shadow.item_size = item_size;
}

void OriginStore::Grow(Shadow& shadow, int64_t elements) {
  Origins& all = shadow.all;
  for (at::Tensor* values : {&all.rows, &all.y, &all.x}) {
    const int64_t missing = elements - values->numel();
    if (missing <= 0) continue;
    *values = at::cat({*values, at::zeros({missing}, values->options())});
  }
}

void OriginStore::DropDead() {
  if (shadows_.size() < drop_at_) return;
  std::erase_if(shadows_, [](const auto& entry) {
    return entry.second.memory.expired();
  });
  drop_at_ = std::max<size_t>(64, 2 * shadows_.size());
}

at::Tensor UnionOver(const at::Tensor& rows, at::IntArrayRef dims) {
  at::Tensor all;
  for (const int bit : {1, 2}) {
    at::Tensor has = rows.bitwise_and(bit);
    for (const int64_t dim : dims) has = has.amax(dim, /*keepdim=*/true);
    all = all.defined() ? all.bitwise_or(has) : has;
  }
  return all;
}

}  // namespace saliency
