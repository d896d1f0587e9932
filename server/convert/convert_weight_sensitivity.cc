#include "server/convert/convert_weight_sensitivity.h"

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "server/convert/convert_answer.h"
#include "server/convert/convert_meta.h"
#include "server/convert/convert_parts.h"

namespace saliency {

Job JobFromProto(const v1::MeasureWeightSensitivityRequest& request,
                 const EngineLimits& limits, Violations& found) {
  Job job;
  FillModel(request, job, found);
  found.Add(CheckCount("stages", request.stages_size(), limits.max_layers));
  job.targets = TargetsFromProto(request.targets(), limits, found);
  job.attributions =
      AttributionsFromProto(request.attributions(), limits, found);
  job.output = OutputFromProto(request.output(), found);
  // Pixels of every stage are much: only for those who ask.
  if (request.output().encoding() == v1::MAP_ENCODING_UNSPECIFIED) {
    job.output.encoding = MapEncoding::kNone;
  }
  if (request.has_step()) job.meta = StepFromProto(request.step(), found);
  job.input = InputFromProto(request.input(), limits, found);
  return job;
}

void ToProto(CascadeStage&& stage, absl::string_view request_id,
             v1::MeasureWeightSensitivityResponse* response) {
  Explanation& explanation = stage.explanation;
  FillModelAndImages(explanation, response->mutable_summary());
  response->set_stage(stage.stage);
  response->set_num_stages(stage.stages);
  response->set_module(stage.module);
  for (std::size_t i = 0; i < explanation.results.size(); ++i) {
    v1::WeightSensitivity* out = response->add_maps();
    ToProto(std::move(explanation.results[i]), request_id, out->mutable_map());
    if (const auto& signed_one = explanation.correlations[i];
        signed_one.has_value()) {
      out->set_correlation(*signed_one);
    }
    if (const auto& absolute = explanation.absolute_correlations[i];
        absolute.has_value()) {
      out->set_absolute_correlation(*absolute);
    }
  }
}

}  // namespace saliency
