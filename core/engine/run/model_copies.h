// Private copies of a served model, read from its file: nothing is shared with
// the model that serves.
// Pure function; safe from any thread.

#ifndef SALIENCY_CORE_ENGINE_RUN_MODEL_COPIES_H_
#define SALIENCY_CORE_ENGINE_RUN_MODEL_COPIES_H_

#include <cstdint>
#include <string>

#include "core/engine/model_metadata.h"
#include "core/engine/run/cascading_randomization.h"

namespace saliency {

// Copies of the model in the file at `path`, on its first device; random
// weights by `seed`.  `model` outlives what is returned.
// Errors of a copy: as ProbedModel::Load.
CopyModel CopiesOf(std::string path, const ModelMetadata& model, uint64_t seed);

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_RUN_MODEL_COPIES_H_
