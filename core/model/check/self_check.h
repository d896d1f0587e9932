// What a network turns out to allow, found at load: whether the rows of a batch
// depend on each other, whether it answers the same question twice alike, and
// which of its tensors have one [K,H,W] for each image.
//
//   from the graph   no number is read off the images, no operator mixes them
//                    (data_dependence.h, origin_study.h)
//   by trial         images alone and beside others (trial.h)
//
// Internal to the model room.  Thread-compatible.

#ifndef SALIENCY_CORE_MODEL_CHECK_SELF_CHECK_H_
#define SALIENCY_CORE_MODEL_CHECK_SELF_CHECK_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/model/check/trial.h"
#include "core/model/probed_model.h"
#include "core/model/probed_network.h"

namespace saliency {

// One marked tensor.
struct TensorForm {
  // For one image, as the network has it and with the first axis; empty: the
  // pass did not come by.
  std::vector<int64_t> sizes;
  // It has one entry along its first axis for each image, and in it what is
  // that image's.
  bool by_row = false;
  // Where [N,K,H,W] are among its axes; set when there are maps of it.
  std::array<int64_t, 4> axes = {0, 1, 2, 3};
  std::string no_maps_because;  // empty: there are
};

struct NetworkCheck {
  SelfCheck self;  // but for expand_rows_at_probe
  int64_t num_classes = 0;
  std::vector<TensorForm> tensors;  // by mark id
};

// Errors: INVALID_ARGUMENT the network cannot run one image of this size, or
//   does not return one row of logits for it; RESOURCE_EXHAUSTED; UNAVAILABLE.
// Throws what LibTorch throws.
absl::StatusOr<NetworkCheck> CheckNetwork(ProbedNetwork& network,
                                          const TrialSize& size);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_CHECK_SELF_CHECK_H_
