// The questions of a caller who names nothing, asked of the whole server before
// a model is READY: whoever comes first then waits no longer than whoever comes
// next.  WarmUp (warm_up.h) runs the passes; this runs what lies around them,
// on the threads that will: decoding, resizing, drawing and encoding.
// Thread-safe.

#ifndef SALIENCY_SERVER_LOADING_FIRST_QUESTIONS_H_
#define SALIENCY_SERVER_LOADING_FIRST_QUESTIONS_H_

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/engine/job.h"
#include "core/engine/model_metadata.h"

namespace saliency {

// Waits for the answers.  Metrics of callers do not count these questions,
// those of batches and stages do.
// Errors: the first answer's; DEADLINE_EXCEEDED after `timeout` in all.
absl::Status AskFirstQuestions(const ModelMetadata& facts,
                               const SubmitJob& submit, absl::Duration timeout);

}  // namespace saliency

#endif  // SALIENCY_SERVER_LOADING_FIRST_QUESTIONS_H_
