// Questions as they come off the wire: the same bytes as every kind of them.

#include <google/protobuf/stubs/logging.h>

#include <cstdint>

#include "server/convert/convert_class_sensitivity.h"
#include "server/convert/convert_combination.h"
#include "server/convert/convert_meta.h"
#include "server/convert/convert_request.h"
#include "server/convert/convert_weight_sensitivity.h"
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

void RequireWithinLimits(const Job& job) {
  Require(job.version >= 0, "versions are not negative");
  Require(job.targets.size() <= 3, "targets are limited");
  Require(job.attributions.size() <= 3 && job.combinations.size() <= 3,
          "attributions and combinations are limited");
  Require(!job.attributions.empty() || !job.combinations.empty(),
          "there is something to compute");
  size_t layers = 0;
  for (const JobAttribution& attribution : job.attributions) {
    layers += attribution.layers.size();
    Require(!attribution.attribution.name().empty(), "methods have names");
  }
  Require(layers <= 5, "layers are limited");
  size_t combined = 0;
  size_t weights = 0;
  for (const JobCombination& combination : job.combinations) {
    combined += combination.layers.size();
    weights += combination.weights.size();
  }
  Require(combined <= 5 && weights <= 5, "layers to combine are limited");
}

// Returns whether the bytes are such a request at all.
template <typename Request>
bool ConvertAs(const uint8_t* data, size_t size) {
  static const EngineLimits limits = Limits();
  Request request;
  if (!request.ParseFromArray(data, static_cast<int>(size))) return false;
  const absl::StatusOr<Job> job = JobFromProto(request, limits);
  if (job.ok()) {
    RequireWithinLimits(*job);
  } else {
    RequireRefusal(job.status());
  }
  return true;
}

}  // namespace
}  // namespace saliency

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace v1 = saliency::v1;
  using saliency::ConvertAs;
  // Text that is no UTF-8 is refused with a line in the log.
  static const auto* const silence = new google::protobuf::LogSilencer;
  (void)silence;
  bool parsed = ConvertAs<v1::ComputeSaliencyRequest>(data, size);
  parsed |= ConvertAs<v1::CombineLayersRequest>(data, size);
  parsed |= ConvertAs<v1::MetaSaliencyRequest>(data, size);
  parsed |= ConvertAs<v1::MeasureClassSensitivityRequest>(data, size);
  parsed |= ConvertAs<v1::MeasureWeightSensitivityRequest>(data, size);
  return parsed ? 0 : -1;
}
