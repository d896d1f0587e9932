// A long run of meta calls of all kinds, in a fixed random order: good ones,
// and ones that fail at any place.
// Thread-compatible.

#ifndef SALIENCY_TESTS_MODEL_META_CALLS_H_
#define SALIENCY_TESTS_MODEL_META_CALLS_H_

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "core/model/probed_model.h"
#include "tests/support/cpu_memory.h"

namespace saliency {

class MetaCalls {
 public:
  // `model` must outlive the calls; its layers with positions are probed.
  MetaCalls(ProbedModel& model, at::Tensor images);

  // One call: mixed steps, or one of a class out of range, an unknown layer, an
  // image with a NaN, or memory that runs out at any allocation of the call.
  // Returns whether it ended as it should have.
  bool Make();

  // The same call each time, whose result must be the same to the last bit.
  ProbeResult Yardstick();

  const std::map<absl::StatusCode, int>& ends() const { return ends_; }

 private:
  int Random(int limit) {
    return std::uniform_int_distribution<int>(0, limit - 1)(generator_);
  }
  ProbeRow RandomRow();
  ProbeRequest RandomRequest();

  ProbedModel& model_;
  const at::Tensor images_;  // [N,3,H,W]
  std::vector<std::string> layers_;
  std::mt19937 generator_{20200616};
  CpuMemory& memory_ = CpuMemory::Watch();
  std::map<absl::StatusCode, int> ends_;
};

}  // namespace saliency

#endif  // SALIENCY_TESTS_MODEL_META_CALLS_H_
