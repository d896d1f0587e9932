// The way into the engine, as the services see it.

#ifndef SALIENCY_SERVER_SERVICES_SUBMIT_JOB_H_
#define SALIENCY_SERVER_SERVICES_SUBMIT_JOB_H_

#include <functional>

#include "core/engine/job.h"

namespace saliency {

// Takes a job and answers it exactly once: Engine::Submit, or a test's own.
using SubmitJob = std::function<void(Job job, JobDone done)>;

}  // namespace saliency

#endif  // SALIENCY_SERVER_SERVICES_SUBMIT_JOB_H_
