#include "core/engine/finish/rendering.h"

#include <ATen/ATen.h>

#include <utility>

#include "core/base/status.h"
#include "core/engine/finish/overall_status.h"

namespace saliency {

absl::Status Pieces::RunNext() {
  std::list<Piece> later;
  later.swap(pieces_);
  const Piece piece = std::move(later.front());
  later.pop_front();
  absl::Status status = piece();
  pieces_.splice(pieces_.end(), later);
  return status;
}

absl::Status Rendering::Step() {
  const at::NoGradGuard no_grad;
  return pieces_.RunNext();
}

absl::StatusOr<Explanation> Rendering::Take() {
  RETURN_IF_ERROR(OverallStatus(explanation_));
  return std::move(explanation_);
}

absl::StatusOr<Explanation> RenderAll(Rendering& rendering) {
  while (!rendering.done()) RETURN_IF_ERROR(rendering.Step());
  return rendering.Take();
}

}  // namespace saliency
