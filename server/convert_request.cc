#include "server/convert_request.h"

#include "core/base/status.h"
#include "server/convert_parts.h"

namespace saliency {

absl::StatusOr<Job> JobFromProto(const v1::ComputeSaliencyRequest& request,
                                 const EngineLimits& limits) {
  RETURN_IF_ERROR(
      CheckCount("targets", request.targets_size(), limits.max_targets));
  RETURN_IF_ERROR(CheckAttributionCounts(request.attributions(), limits));
  RETURN_IF_ERROR(CheckPictureBytes(request.input(), limits));
  Job job;
  RETURN_IF_ERROR(FillQuestion(request, job));
  ASSIGN_OR_RETURN(job.attributions,
                   AttributionsFromProto(request.attributions()));
  ASSIGN_OR_RETURN(job.input, InputFromProto(request.input()));
  return job;
}

}  // namespace saliency
