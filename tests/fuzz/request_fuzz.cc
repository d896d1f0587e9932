// A ComputeSaliencyRequest as it comes off the wire.

#include <google/protobuf/stubs/logging.h>

#include <cstdint>
#include <string>

#include "server/convert_request.h"
#include "tests/fuzz/require.h"

namespace saliency {
namespace {

// Small, so that the limits are met.
EngineLimits Limits() {
  EngineLimits limits = {
      .max_targets = 3, .max_attributions = 3, .max_layers = 5};
  limits.decode.max_bytes = 1000;
  return limits;
}

void ConvertOne(const v1::ComputeSaliencyRequest& request) {
  static const EngineLimits limits = Limits();
  const absl::StatusOr<Job> job = JobFromProto(request, limits);
  if (!job.ok()) return RequireRefusal(job.status());
  Require(static_cast<int>(job->targets.size()) == request.targets_size() &&
              request.targets_size() <= 3,
          "targets are limited and all there");
  Require(!job->attributions.empty() && job->attributions.size() <= 3,
          "attributions are limited and never none");
  size_t layers = 0;
  for (const auto& attribution : job->attributions) {
    layers += attribution.layers.size();
    Require(!attribution.attribution.name().empty(), "methods have names");
  }
  Require(layers <= 5, "layers are limited");
  Require(job->version >= 0, "versions are not negative");
}

}  // namespace
}  // namespace saliency

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // Text that is no UTF-8 is refused with a line in the log.
  static const auto* const silence = new google::protobuf::LogSilencer;
  (void)silence;
  saliency::v1::ComputeSaliencyRequest request;
  if (!request.ParseFromArray(data, static_cast<int>(size))) return -1;
  saliency::ConvertOne(request);
  return 0;
}
