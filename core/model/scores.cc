#include "core/model/scores.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/near_names.h"

namespace saliency {
namespace {

std::vector<c10::IValue> Elements(const c10::IValue& output) {
  if (output.isTensor()) return {output};
  if (output.isTuple()) {
    const auto tuple = output.toTuple();
    return std::vector<c10::IValue>(tuple->elements().begin(),
                                    tuple->elements().end());
  }
  if (output.isTensorList()) {
    std::vector<c10::IValue> elements;
    for (const at::Tensor& tensor : output.toTensorVector()) {
      elements.emplace_back(tensor);
    }
    return elements;
  }
  if (output.isList()) return output.toListRef().vec();
  return {};
}

// A tuple, list or dict within what a model returned.
bool HoldsTensors(const c10::IValue& element) {
  if (element.isGenericDict()) return true;
  const std::vector<c10::IValue> parts = Elements(element);
  return !element.isTensor() &&
         std::any_of(parts.begin(), parts.end(), [](const c10::IValue& part) {
           return part.isTensor() || HoldsTensors(part);
         });
}

absl::StatusOr<at::Tensor> FirstTensor(const c10::IValue& output) {
  if (output.isGenericDict()) {
    for (const auto& entry : output.toGenericDict()) {
      if (entry.value().isTensor()) return entry.value().toTensor();
    }
  }
  for (const c10::IValue& element : Elements(output)) {
    if (element.isTensor()) return element.toTensor();
  }
  return absl::InvalidArgumentError("the model returned no tensor");
}

// Of a dict.
std::vector<std::string> TensorKeys(const c10::IValue& output) {
  std::vector<std::string> keys;
  for (const auto& entry : output.toGenericDict()) {
    if (entry.key().isString() && entry.value().isTensor()) {
      keys.push_back(entry.key().toStringRef());
    }
  }
  return keys;
}

absl::StatusOr<at::Tensor> Entry(const c10::IValue& output,
                                 const std::string& key) {
  if (!output.isGenericDict()) {
    return absl::InvalidArgumentError(
        "output_key is set, but the model does not return a dict");
  }
  for (const auto& entry : output.toGenericDict()) {
    if (entry.key().isString() && entry.key().toStringRef() == key &&
        entry.value().isTensor()) {
      return entry.value().toTensor();
    }
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "output_key: ", NotFoundMessage("tensor", key, TensorKeys(output))));
}

at::Tensor Transformed(Score kind, const at::Tensor& logits) {
  switch (kind) {
    case Score::kSoftmax:
      return at::softmax(logits, 1);
    case Score::kLogSoftmax:
      return at::log_softmax(logits, 1);
    case Score::kSigmoid:
      return at::sigmoid(logits);
    case Score::kLogSigmoid:
      return at::log_sigmoid(logits);
    case Score::kLogit:
    case Score::kScalarOutput:
      break;
  }
  return logits;
}

at::Tensor Index(const std::vector<int64_t>& values, const at::Tensor& like) {
  return at::tensor(values, at::kLong).to(like.device());
}

}  // namespace

absl::StatusOr<at::Tensor> SelectOutput(const c10::IValue& output,
                                        std::optional<int> index,
                                        const std::string& key) {
  if (!key.empty()) return Entry(output, key);
  if (!index) return FirstTensor(output);
  if (output.isGenericDict()) {
    return absl::InvalidArgumentError(
        "output_index is set, but the model returns a dict: output_key picks "
        "of it");
  }
  const std::vector<c10::IValue> elements = Elements(output);
  if (*index < 0 || *index >= static_cast<int>(elements.size())) {
    return absl::InvalidArgumentError(
        absl::StrCat("output_index ", *index, " not in [0, ", elements.size(),
                     "), the number of the model's outputs"));
  }
  if (!elements[*index].isTensor()) {
    return absl::InvalidArgumentError(
        absl::StrCat("output_index ", *index, " is not a tensor"));
  }
  return elements[*index].toTensor();
}

ModelOutput DescribeOutput(const c10::IValue& output, std::optional<int> index,
                           const std::string& key) {
  std::vector<std::pair<std::string, at::Tensor>> tensors;
  ModelOutput described;
  if (output.isGenericDict()) {
    for (const auto& entry : output.toGenericDict()) {
      if (!entry.key().isString() || !entry.value().isTensor()) continue;
      tensors.emplace_back(
          absl::StrCat("output \"", Printable(entry.key().toStringRef()), "\""),
          entry.value().toTensor());
    }
  } else {
    const std::vector<c10::IValue> elements = Elements(output);
    for (size_t i = 0; i < elements.size(); ++i) {
      if (HoldsTensors(elements[i])) {
        described.others.push_back(
            absl::StrCat("output ", i, " (holds tensors: flatten it)"));
      }
      if (!elements[i].isTensor()) continue;
      tensors.emplace_back(
          output.isTensor() ? "the output" : absl::StrCat("output ", i),
          elements[i].toTensor());
    }
  }
  const at::Tensor taken = *SelectOutput(output, index, key);
  for (const auto& [name, tensor] : tensors) {
    std::vector<int64_t> shape = WithImageAxis(tensor, 1).sizes().vec();
    shape.erase(shape.begin());
    if (described.name.empty() && tensor.is_same(taken)) {
      described.name = name;
      described.shape = std::move(shape);
    } else {
      described.others.push_back(
          absl::StrCat(name, " [", absl::StrJoin(shape, ","), "]"));
    }
  }
  return described;
}

at::Tensor WithImageAxis(const at::Tensor& output, int64_t images) {
  if (images != 1) return output;
  if (output.dim() == 0) return output.unsqueeze(0);
  const bool lacks_it = output.dim() % 2 == 1 && output.size(0) != 1;
  return lacks_it ? output.unsqueeze(0) : output;
}

absl::StatusOr<at::Tensor> PoolLogits(const at::Tensor& output) {
  if (output.is_complex()) {
    return absl::InvalidArgumentError(
        "the model returned complex numbers; logits are real");
  }
  const at::Tensor logits = output.to(at::kFloat);
  switch (logits.dim()) {
    case 1:
      return logits.unsqueeze(1);
    case 2:
      return logits;
    case 4: {
      const at::Tensor flat = logits.flatten(2);
      // From the largest on: differences of large logits would cancel in the
      // softmax's derivative.  The weights add up to 1, so that what is
      // subtracted comes back whole and has no part in the gradient.
      const at::Tensor largest = flat.detach().amax(2, /*keepdim=*/true);
      const at::Tensor below = flat - largest;
      return (at::softmax(below, 2) * below).sum(2) + largest.squeeze(2);
    }
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("the model returned a tensor of ", logits.dim(),
                       " dimensions; logits are [B], [B,C] or [B,C,h,w]"));
  }
}

absl::StatusOr<int64_t> ResolveTarget(const ClassTarget& target,
                                      const at::Tensor& logits) {
  const int64_t classes = logits.numel();
  if (const auto* index = std::get_if<ClassIndex>(&target)) {
    if (index->index >= 0 && index->index < classes) return index->index;
    return absl::InvalidArgumentError(absl::StrCat(
        "class_index ", index->index, " not in [0, ", classes, ")"));
  }
  const auto* bottom = std::get_if<RankFromBottom>(&target);
  const int64_t rank =
      bottom != nullptr ? bottom->rank : std::get<RankFromTop>(target).rank;
  if (rank < 0 || rank >= classes) {
    return absl::InvalidArgumentError(
        absl::StrCat("rank ", rank, " not in [0, ", classes, ")"));
  }
  const at::Tensor row = logits.contiguous();
  const float* value = row.data_ptr<float>();
  std::vector<int64_t> order(classes);
  std::iota(order.begin(), order.end(), 0);
  // NaN would break the order; such a model's maps fail later, by name.
  const auto key = [&](int64_t c) {
    return value[c] == value[c] ? value[c] : -INFINITY;
  };
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return bottom != nullptr ? key(a) < key(b) : key(a) > key(b);
  });
  return order[rank];
}

at::Tensor RowScores(const at::Tensor& logits,
                     absl::Span<const int64_t> classes,
                     absl::Span<const Score> kinds) {
  // One gather for each kind of score that occurs, then back to row order.
  std::map<Score, std::vector<int64_t>> rows_of;
  for (size_t r = 0; r < kinds.size(); ++r) {
    rows_of[kinds[r]].push_back(static_cast<int64_t>(r));
  }
  std::vector<at::Tensor> parts;
  std::vector<int64_t> row_at;  // in the order of `parts`
  for (const auto& [kind, rows] : rows_of) {
    std::vector<int64_t> wanted;
    for (const int64_t r : rows) wanted.push_back(classes[r]);
    const at::Tensor chosen = rows_of.size() == 1
                                  ? logits
                                  : logits.index_select(0, Index(rows, logits));
    parts.push_back(Transformed(kind, chosen)
                        .gather(1, Index(wanted, logits).unsqueeze(1))
                        .squeeze(1));
    row_at.insert(row_at.end(), rows.begin(), rows.end());
  }
  if (parts.size() == 1) return parts[0];
  std::vector<int64_t> place(row_at.size());
  for (size_t i = 0; i < row_at.size(); ++i) {
    place[row_at[i]] = static_cast<int64_t>(i);
  }
  return at::cat(parts).index_select(0, Index(place, logits));
}

}  // namespace saliency
