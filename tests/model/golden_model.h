// The small networks of the golden sets, loaded.

#ifndef SALIENCY_TESTS_MODEL_GOLDEN_MODEL_H_
#define SALIENCY_TESTS_MODEL_GOLDEN_MODEL_H_

#include <memory>
#include <string>

#include "core/model/probed_model.h"
#include "tests/support/golden.h"

namespace saliency {

// `form` is "script" or "trace"; the input's size is the set's.
inline std::unique_ptr<ProbedModel> LoadGoldenModel(const GoldenSet& set,
                                                    const std::string& form,
                                                    LoadOptions options = {}) {
  options.input_height = set.input.size(2);
  options.input_width = set.input.size(3);
  return ProbedModel::Load(GoldenPath(set.net, "model_" + form + ".pt"),
                           options)
      .value();
}

}  // namespace saliency

#endif  // SALIENCY_TESTS_MODEL_GOLDEN_MODEL_H_
