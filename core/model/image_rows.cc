#include "core/model/image_rows.h"

#include <ATen/ATen.h>

#include <cstddef>
#include <cstdint>

namespace saliency {

bool RowsAreImages(const ProbeRequest& request) {
  if (request.input.size(0) != static_cast<int64_t>(request.rows.size())) {
    return false;
  }
  for (size_t r = 0; r < request.rows.size(); ++r) {
    if (request.rows[r].image != static_cast<int64_t>(r)) return false;
  }
  return true;
}

at::Tensor ImageOfRow(const std::vector<ProbeRow>& rows, c10::Device device) {
  std::vector<int64_t> images;
  for (const ProbeRow& row : rows) images.push_back(row.image);
  return at::tensor(images, at::kLong).to(device);
}

at::Tensor ImageLogits(const ProbeRequest& request,
                       const at::Tensor& row_logits) {
  std::vector<int64_t> first(request.input.size(0), -1);
  for (size_t r = request.rows.size(); r-- > 0;) {
    first[request.rows[r].image] = static_cast<int64_t>(r);
  }
  return row_logits.index_select(0, at::tensor(first, at::kLong));
}

}  // namespace saliency
