#include "core/model/expand_rows_cut.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstddef>
#include <limits>

#include "core/base/status.h"
#include "core/model/torch_status.h"

namespace saliency {
namespace {

bool Agree(const at::Tensor& a, const at::Tensor& b, at::ScalarType dtype) {
  if (a.sizes() != b.sizes()) return false;
  const double scale = b.abs().max().item<double>();
  return (a - b).abs().max().item<double>() <= RoundingOf(dtype) * scale;
}

}  // namespace

bool ExpandRowsCut::Works(int cut) {
  const auto known = works_.find(cut);
  if (known != works_.end()) return known->second;
  bool works = false;
  const absl::Status status =
      CatchTorch(absl::StatusCode::kInvalidArgument, "fanning out", [&] {
        const at::Tensor image = RandomImages(1, size_);
        ASSIGN_OR_RETURN(const at::Tensor one, network_.Forward(image, -1, 1));
        ASSIGN_OR_RETURN(const at::Tensor two, network_.Forward(image, cut, 2));
        works = Agree(two, one.repeat({2, 1}), network_.dtype());
        return absl::OkStatus();
      });
  // Lack of memory says nothing about the model: ask again next time.
  if (status.ok() || absl::IsInvalidArgument(status)) {
    works_[cut] = works;
  }
  return works;
}

std::optional<int> ExpandRowsCut::Above(const std::vector<int>& slots) {
  const std::vector<int>& positions = network_.positions();
  int shallowest = std::numeric_limits<int>::max();
  for (const int id : slots) shallowest = std::min(shallowest, positions[id]);
  std::vector<int> cuts;
  for (size_t id = 0; id < positions.size(); ++id) {
    const bool above = positions[id] >= 0 && positions[id] <= shallowest;
    const bool parts = network_.cuts()[id] && check_.tensors[id].by_row;
    if (above && parts) cuts.push_back(static_cast<int>(id));
  }
  std::sort(cuts.begin(), cuts.end(),
            [&](int a, int b) { return positions[a] > positions[b]; });
  for (const int cut : cuts) {
    if (Works(cut)) return cut;
  }
  return std::nullopt;
}

}  // namespace saliency
