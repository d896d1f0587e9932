// Several targets of one image can be served in two ways: repeat the image
// into rows behind a cut and run the rest once, or run the image once and go
// backward once for each target.  Which is cheaper depends on how much of the
// network lies behind the cut; this class measures it.
// Thread-compatible.

#ifndef SALIENCY_CORE_MODEL_EXPAND_ROWS_COST_H_
#define SALIENCY_CORE_MODEL_EXPAND_ROWS_COST_H_

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "absl/time/time.h"

namespace saliency {

enum class ExpandRows {
  kRepeatRows,   // rows = image x target behind the cut
  kRetainGraph,  // one backward for each target on the same graph
};

class ExpandRowsCost {
 public:
  // What to do now for `probes` (any text that names the probe set) when each
  // image has `targets` targets.  Tries both before it prefers one, and the
  // other again every 256th time.
  ExpandRows Choose(const std::string& probes, double targets);

  // `took` is the time from the fan-out to the end of the backward passes.
  void Record(const std::string& probes, double targets, ExpandRows how,
              int64_t rows, absl::Duration took);

 private:
  struct Measured {
    std::array<double, 2> seconds_per_row = {-1,
                                             -1};  // by ExpandRows; -1: never
    int64_t uses = 0;
  };
  // Numbers of targets within a factor of two share a measurement.
  using Key = std::pair<std::string, int>;
  static Key MakeKey(const std::string& probes, double targets);

  std::map<Key, Measured> measured_;
};

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_EXPAND_ROWS_COST_H_
