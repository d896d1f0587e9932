// Copies of a model that serves, out of a file that somebody may change.
// Pure function; safe from any thread.

#ifndef SALIENCY_SERVER_LOADING_SERVED_COPIES_H_
#define SALIENCY_SERVER_LOADING_SERVED_COPIES_H_

#include <string>

#include "core/engine/model_table.h"
#include "core/engine/run/cascading_randomization.h"

namespace saliency {

// `copies` of the model in the file at `path`, each only while the file is the
// one that `version` was loaded from: a study compares copies with each other.
// Errors of a copy: FAILED_PRECONDITION the file has been changed or removed;
//   as `copies`.
CopyModel ServedCopies(CopyModel copies, std::string path,
                       const ModelVersion& version);

}  // namespace saliency

#endif  // SALIENCY_SERVER_LOADING_SERVED_COPIES_H_
