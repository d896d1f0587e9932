// Parts of a job, for the tests that change them.
// Pure functions; safe from any thread.

#ifndef SALIENCY_TESTS_ENGINE_JOB_PARTS_H_
#define SALIENCY_TESTS_ENGINE_JOB_PARTS_H_

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/engine/job.h"

namespace saliency {

// REQUIRES: the method is known.
inline JobAttribution At(absl::string_view method,
                         std::vector<std::string> layers) {
  return {.attribution = *Attribution::Named(method),
          .layers = std::move(layers)};
}

// REQUIRES: the job's input is a tensor.
inline TensorInput& Tensor(Job& job) {
  return std::get<TensorInput>(job.input);
}

}  // namespace saliency

#endif  // SALIENCY_TESTS_ENGINE_JOB_PARTS_H_
