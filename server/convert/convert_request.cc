#include "server/convert/convert_request.h"

namespace saliency {

Job JobFromProto(const v1::ComputeSaliencyRequest& request,
                 const EngineLimits& limits, Violations& found) {
  Job job;
  FillQuestion(request, limits, job, found);
  job.attributions =
      AttributionsFromProto(request.attributions(), limits, found);
  job.input = InputFromProto(request.input(), limits, found);
  return job;
}

}  // namespace saliency
