#include "server/convert_request.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "server/convert_parts.h"

namespace saliency {
namespace {

// Before anything is copied: a message of 32 MiB holds millions of targets.
absl::Status CheckCounts(const v1::ComputeSaliencyRequest& request,
                         const EngineLimits& limits) {
  RETURN_IF_ERROR(
      CheckCount("targets", request.targets_size(), limits.max_targets));
  RETURN_IF_ERROR(CheckCount("attributions", request.attributions_size(),
                             limits.max_attributions));
  int64_t layers = 0;
  for (const v1::Attribution& attribution : request.attributions()) {
    layers += attribution.layers_size();
  }
  RETURN_IF_ERROR(
      CheckCount("attributions: layers in all", layers, limits.max_layers));
  return CheckCount("input.picture: bytes",
                    static_cast<int64_t>(request.input().picture().size()),
                    limits.decode.max_bytes);
}

absl::StatusOr<std::vector<JobAttribution>> AttributionsFromProto(
    const v1::ComputeSaliencyRequest& request) {
  std::vector<JobAttribution> attributions;
  for (const v1::Attribution& attribution : request.attributions()) {
    absl::StatusOr<Attribution> kind = AttributionFromProto(attribution);
    if (!kind.ok()) {
      return Annotate(kind.status(),
                      absl::StrCat("attributions[", attributions.size(), "]"));
    }
    attributions.push_back(
        {*std::move(kind),
         {attribution.layers().begin(), attribution.layers().end()}});
  }
  if (attributions.empty()) {
    ASSIGN_OR_RETURN(Attribution method, Attribution::Named(kDefaultMethod));
    attributions.push_back({std::move(method), {}});
  }
  return attributions;
}

}  // namespace

absl::StatusOr<Job> JobFromProto(const v1::ComputeSaliencyRequest& request,
                                 const EngineLimits& limits) {
  RETURN_IF_ERROR(CheckCounts(request, limits));
  Job job;
  RETURN_IF_ERROR(FillQuestion(request, job));
  ASSIGN_OR_RETURN(job.attributions, AttributionsFromProto(request));
  ASSIGN_OR_RETURN(job.input, InputFromProto(request.input()));
  return job;
}

}  // namespace saliency
