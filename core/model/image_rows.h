// From the images of a request to its rows and back.
// Internal to the model room.  Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_MODEL_IMAGE_ROWS_H_
#define SALIENCY_CORE_MODEL_IMAGE_ROWS_H_

#include <vector>

#include "ATen/core/Tensor.h"
#include "core/model/probe.h"

namespace saliency {

// Whether row r is of image r, and every image has one row.
bool RowsAreImages(const ProbeRequest& request);

// [R] int64 on `device`: the image of each row.
at::Tensor ImageOfRow(const std::vector<ProbeRow>& rows, c10::Device device);

// [N,C] of the rows' [R,C], on the CPU: the logits of each image's first row.
// REQUIRES: every image has a row.
at::Tensor ImageLogits(const ProbeRequest& request,
                       const at::Tensor& row_logits);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_IMAGE_ROWS_H_
