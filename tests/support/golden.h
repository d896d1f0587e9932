// The golden values of tests/golden: five small networks and what published
// implementations make of them (see the README there).
// Thread-compatible.

#ifndef SALIENCY_TESTS_SUPPORT_GOLDEN_H_
#define SALIENCY_TESTS_SUPPORT_GOLDEN_H_

#include <map>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"

namespace saliency {

// One line of a manifest.
struct GoldenEntry {
  std::string name;
  std::string source;  // the name's first part: "tr", "fk", "og", ...
  std::string method;
  std::string layer;           // our spelling: "input" for the input
  std::string phase1, phase2;  // of the official grid
  // Of a combination: its layers, shallow to deep; "sum" or "product";
  // "linear", "uniform" or "explicit" with its numbers.
  std::vector<std::string> layers;
  std::string accumulation, weights;
  std::vector<double> explicit_weights;
  std::string options;  // "resize", "smooth002", ...
  std::string notes;
  int target = -1;                    // column of `targets`; -1: none
  std::vector<int64_t> images;        // rows of `input`
  std::vector<int64_t> skipped_rows;  // of the entry: unstable or degenerate
  double tolerance = 0;
  std::string tolerance_metric;  // "relative_per_image", "absolute", "q99"
};

struct GoldenSet {
  std::string net;
  at::Tensor input;    // [4,3,H,W] float32
  at::Tensor targets;  // [4,4] int64
  std::map<std::string, at::Tensor> tensors;
  std::vector<GoldenEntry> entries;
};

const std::vector<std::string>& GoldenNets();
std::string GoldenPath(const std::string& net, const std::string& file);
GoldenSet LoadGolden(const std::string& net);

// The largest error over the rows that count, as a multiple of the entry's
// tolerance: at most 1 is a pass.  `got` has the entry's shape.
double ErrorOverTolerance(const GoldenEntry& entry, const at::Tensor& got,
                          const at::Tensor& want);

}  // namespace saliency

#endif  // SALIENCY_TESTS_SUPPORT_GOLDEN_H_
