#include "core/model/record_rows.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace saliency {
namespace {

using RowRecord = ProbeResult::Record;

int64_t RowCount(const RowRecord& record) {
  return record.activation.defined()
             ? record.activation.size(0)
             : static_cast<int64_t>(record.missed.size());
}

// Zeros where a part has none because its rows did not come by; undefined when
// no part has any.
at::Tensor JoinTensors(const std::vector<RowRecord>& parts,
                       at::Tensor RowRecord::*tensor) {
  const auto example = std::find_if(
      parts.begin(), parts.end(),
      [&](const RowRecord& part) { return (part.*tensor).defined(); });
  if (example == parts.end()) return {};
  std::vector<at::Tensor> tensors;
  for (const RowRecord& part : parts) {
    if ((part.*tensor).defined()) {
      tensors.push_back(part.*tensor);
      continue;
    }
    std::vector<int64_t> sizes = ((*example).*tensor).sizes().vec();
    sizes[0] = RowCount(part);
    tensors.push_back(at::zeros(sizes, ((*example).*tensor).options()));
  }
  return at::cat(tensors);
}

template <typename T>
std::vector<T> JoinLists(const std::vector<RowRecord>& parts,
                         std::vector<T> RowRecord::*list) {
  std::vector<T> joined;
  bool any = false;
  for (const RowRecord& part : parts) {
    any |= !(part.*list).empty();
    std::vector<T> rows = part.*list;
    rows.resize(RowCount(part));
    joined.insert(joined.end(), rows.begin(), rows.end());
  }
  return any ? joined : std::vector<T>();
}

template <typename T>
std::vector<T> PickList(const std::vector<T>& list,
                        const std::vector<int64_t>& order) {
  std::vector<T> picked;
  if (list.empty()) return picked;
  for (const int64_t row : order) picked.push_back(list[row]);
  return picked;
}

}  // namespace

RowRecord JoinRows(const std::vector<RowRecord>& parts) {
  for (const RowRecord& part : parts) {
    if (!part.status.ok()) return {.status = part.status};
  }
  RowRecord joined;
  joined.activation = JoinTensors(parts, &RowRecord::activation);
  joined.gradient = JoinTensors(parts, &RowRecord::gradient);
  joined.missed = JoinLists(parts, &RowRecord::missed);
  joined.no_gradient = JoinLists(parts, &RowRecord::no_gradient);
  return joined;
}

RowRecord PickRows(const RowRecord& record, const std::vector<int64_t>& order) {
  const auto pick = [&](const at::Tensor& rows) {
    if (!rows.defined()) return rows;
    return rows.index_select(0, at::tensor(order, at::kLong).to(rows.device()));
  };
  return {.activation = pick(record.activation),
          .gradient = pick(record.gradient),
          .missed = PickList(record.missed, order),
          .no_gradient = PickList(record.no_gradient, order),
          .status = record.status};
}

}  // namespace saliency
