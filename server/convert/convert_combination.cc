#include "server/convert/convert_combination.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "server/convert/convert_answer.h"
#include "server/convert/convert_parts.h"

namespace saliency {
namespace {

// What would cost memory to convert: a message of 32 MiB holds millions of
// weights.
absl::Status CheckCombinationCounts(
    const google::protobuf::RepeatedPtrField<v1::Combination>& combinations,
    const EngineLimits& limits) {
  RETURN_IF_ERROR(
      CheckCount("combinations", combinations.size(), limits.max_attributions));
  int64_t layers = 0;
  int64_t weights = 0;
  for (const v1::Combination& combination : combinations) {
    layers += combination.attribution().layers_size();
    weights += combination.weights_size();
  }
  RETURN_IF_ERROR(
      CheckCount("combinations: layers in all", layers, limits.max_layers));
  return CheckCount("combinations: weights in all", weights, limits.max_layers);
}

absl::StatusOr<Weighting> WeightingFromProto(v1::Weighting weighting) {
  switch (weighting) {
    case v1::WEIGHTING_UNSPECIFIED:
    case v1::WEIGHTING_UNIFORM:
      return Weighting::kUniform;
    case v1::WEIGHTING_LINEAR:
      return Weighting::kLinear;
    case v1::WEIGHTING_EXPLICIT:
      return Weighting::kExplicit;
    case v1::WEIGHTING_FEATURE_SPREAD:
      return Weighting::kFeatureSpread;
    case v1::WEIGHTING_CLASSIFICATION_ACCURACY:
      return Weighting::kClassificationAccuracy;
    default:
      return UnknownValue("weighting", weighting);
  }
}

v1::Weighting WeightingToProto(Weighting weighting) {
  switch (weighting) {
    case Weighting::kUniform:
      return v1::WEIGHTING_UNIFORM;
    case Weighting::kLinear:
      return v1::WEIGHTING_LINEAR;
    case Weighting::kExplicit:
      return v1::WEIGHTING_EXPLICIT;
    case Weighting::kFeatureSpread:
      return v1::WEIGHTING_FEATURE_SPREAD;
    case Weighting::kClassificationAccuracy:
      return v1::WEIGHTING_CLASSIFICATION_ACCURACY;
  }
  return v1::WEIGHTING_UNSPECIFIED;
}

absl::StatusOr<CombineRule> RuleFromProto(v1::CombineRule rule) {
  switch (rule) {
    case v1::COMBINE_RULE_UNSPECIFIED:
    case v1::COMBINE_RULE_SUM:
      return CombineRule::kSum;
    case v1::COMBINE_RULE_PRODUCT:
      return CombineRule::kProduct;
    default:
      return UnknownValue("rule", rule);
  }
}

// The method or pair; none for maps that were given.
std::optional<Attribution> MethodFromProto(const v1::Attribution& attribution,
                                           bool precomputed_maps,
                                           Violations& found) {
  const bool is_set = attribution.kind_case() != v1::Attribution::KIND_NOT_SET;
  if (precomputed_maps) {
    if (is_set) {
      found.Add(
          Invalid("attribution: a method or pair is not allowed with maps"));
    }
    return std::nullopt;
  }
  if (!is_set) return DefaultAttribution();
  Violations of_this;
  Attribution method = AttributionFromProto(attribution, of_this);
  found.Add("attribution", of_this);
  return method;
}

JobCombination CombinationFromProto(const v1::Combination& combination,
                                    bool precomputed_maps, Violations& found) {
  const v1::Attribution& attribution = combination.attribution();
  JobCombination converted;
  converted.attribution = MethodFromProto(attribution, precomputed_maps, found);
  converted.layers.assign(attribution.layers().begin(),
                          attribution.layers().end());
  converted.weighting = found.Take(WeightingFromProto(combination.weighting()));
  converted.rule = found.Take(RuleFromProto(combination.rule()));
  for (const v1::LayerWeight& weight : combination.weights()) {
    converted.weights.push_back(
        {.layer = weight.layer(), .weight = weight.weight()});
  }
  return converted;
}

std::vector<JobCombination> ConvertCombinations(
    const google::protobuf::RepeatedPtrField<v1::Combination>& combinations,
    bool precomputed_maps, const EngineLimits& limits, Violations& found) {
  std::vector<JobCombination> converted;
  const absl::Status counts = CheckCombinationCounts(combinations, limits);
  found.Add(counts);
  if (!counts.ok()) return converted;
  for (const v1::Combination& combination : combinations) {
    Violations of_this;
    JobCombination one =
        CombinationFromProto(combination, precomputed_maps, of_this);
    found.Add(absl::StrCat("combinations[", converted.size(), "]"), of_this);
    converted.push_back(std::move(one));
  }
  return converted;
}

// One with all defaults when there is none.
std::vector<JobCombination> CombinationsOf(
    const v1::CombineLayersRequest& request, const EngineLimits& limits,
    Violations& found) {
  if (!request.combinations().empty()) {
    return ConvertCombinations(request.combinations(), request.has_maps(),
                               limits, found);
  }
  google::protobuf::RepeatedPtrField<v1::Combination> one;
  one.Add();
  return ConvertCombinations(one, request.has_maps(), limits, found);
}

// What only a model could answer.
void CheckNoModelAsked(const v1::CombineLayersRequest& request,
                       Violations& found) {
  const auto refuse = [&](bool asked, absl::string_view field) {
    if (!asked) return;
    found.Add(Invalid(field, ": not allowed with maps, which ask no model"));
  };
  refuse(!request.model().name().empty() || request.model().has_version(),
         "model");
  refuse(request.targets_size() > 0, "targets");
  refuse(request.score() != v1::SCORE_UNSPECIFIED, "score");
}

PrecomputedMaps PrecomputedMapsFromProto(const v1::PrecomputedMaps& maps,
                                         const EngineLimits& limits,
                                         Violations& found) {
  PrecomputedMaps converted;
  const absl::Status bytes =
      CheckCount("maps.image: bytes", static_cast<int64_t>(maps.image().size()),
                 limits.decode.max_bytes);
  found.Add(bytes);
  if (bytes.ok()) converted.image = maps.image();
  const absl::Status count =
      CheckCount("maps.maps", maps.maps_size(), limits.max_layers);
  found.Add(count);
  if (!count.ok()) return converted;
  for (const v1::PrecomputedMap& map : maps.maps()) {
    const v1::Tensor& values = map.values();
    GivenMap& one = converted.maps.emplace_back();
    one.layer = map.layer();
    if (values.shape_size() != 2) {
      found.Add(Invalid("maps.maps[", converted.maps.size() - 1,
                        "].values.shape has ", values.shape_size(),
                        " sizes; [H,W] is needed"));
      continue;
    }
    one.height = values.shape(0);
    one.width = values.shape(1);
    one.data = values.data();
  }
  return converted;
}

JobInput SubjectFromProto(const v1::CombineLayersRequest& request,
                          const EngineLimits& limits, Violations& found) {
  switch (request.subject_case()) {
    case v1::CombineLayersRequest::kInput:
      return InputFromProto(request.input(), limits, found);
    case v1::CombineLayersRequest::kMaps:
      CheckNoModelAsked(request, found);
      return JobInput(PrecomputedMapsFromProto(request.maps(), limits, found));
    case v1::CombineLayersRequest::SUBJECT_NOT_SET:
      break;
  }
  found.Add(Invalid("input: not set, nor are maps"));
  return JobInput();
}

}  // namespace

std::vector<JobCombination> CombinationsFromProto(
    const google::protobuf::RepeatedPtrField<v1::Combination>& combinations,
    const EngineLimits& limits, Violations& found) {
  return ConvertCombinations(combinations, /*precomputed_maps=*/false, limits,
                             found);
}

void ToProto(CombinedResult&& combined, absl::string_view request_id,
             v1::CombinedMap* out) {
  out->set_weighting(WeightingToProto(combined.weighting));
  out->set_rule(combined.rule == CombineRule::kSum ? v1::COMBINE_RULE_SUM
                                                   : v1::COMBINE_RULE_PRODUCT);
  for (const LayerShare& share : combined.shares) {
    v1::LayerShare* layer = out->add_shares();
    layer->set_layer(share.layer);
    layer->set_weight(static_cast<float>(share.weight));
    layer->set_constant(share.constant);
    layer->set_warning(share.warning);
  }
  ToProto(std::move(combined.map), request_id, out->mutable_map());
}

Job JobFromProto(const v1::CombineLayersRequest& request,
                 const EngineLimits& limits, Violations& found) {
  Job job;
  job.input = SubjectFromProto(request, limits, found);
  FillQuestion(request, limits, job, found);
  // Without a model there is no input of its.
  if (request.has_maps() && !request.output().has_explicit_size() &&
      request.output().named_size() == v1::NAMED_SIZE_UNSPECIFIED) {
    job.output.size = OutputSize::kImage;
  }
  job.combinations = CombinationsOf(request, limits, found);
  job.layer_maps = request.layer_maps();
  return job;
}

void ToProto(Explanation&& explanation, absl::string_view request_id,
             v1::CombineLayersResponse* response) {
  ToProto(explanation, response->mutable_summary());
  for (CombinedResult& combined : explanation.combined) {
    ToProto(std::move(combined), request_id, response->add_combined());
  }
  for (MapResult& map : explanation.layer_maps) {
    ToProto(std::move(map), request_id, response->add_layer_maps());
  }
}

}  // namespace saliency
