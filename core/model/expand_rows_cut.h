// Where a network's images may be expanded into rows: at a tensor that every
// path crosses and that has one entry for each image, if the part behind it
// runs with another number of rows, which is found by trial at first use.
// Internal to the model room.  Thread-compatible.

#ifndef SALIENCY_CORE_MODEL_EXPAND_ROWS_CUT_H_
#define SALIENCY_CORE_MODEL_EXPAND_ROWS_CUT_H_

#include <map>
#include <optional>
#include <vector>

#include "core/model/check/self_check.h"
#include "core/model/check/trial.h"
#include "core/model/probed_network.h"

namespace saliency {

class ExpandRowsCut {
 public:
  // `network` and `check` outlive this; the check is filled in before the first
  // call.  Trials are of images of `size`.
  ExpandRowsCut(ProbedNetwork& network, const NetworkCheck& check,
                const TrialSize& size)
      : network_(network), check_(check), size_(size) {}

  // Whether rows can be expanded at the mark `cut`.
  bool Works(int cut);
  // The nearest mark above all `slots` where they can; nullopt: there is none.
  std::optional<int> Above(const std::vector<int>& slots);

 private:
  ProbedNetwork& network_;
  const NetworkCheck& check_;
  const TrialSize size_;
  std::map<int, bool> works_;  // by cut
};

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_EXPAND_ROWS_CUT_H_
