#include "server/convert_combination.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "server/convert_answer.h"
#include "server/convert_parts.h"

namespace saliency {
namespace {

absl::Status CheckCounts(const v1::CombineLayersRequest& request,
                         const EngineLimits& limits) {
  RETURN_IF_ERROR(
      CheckCount("targets", request.targets_size(), limits.max_targets));
  RETURN_IF_ERROR(CheckCombinationCounts(request.combinations(), limits));
  RETURN_IF_ERROR(
      CheckCount("maps.maps", request.maps().maps_size(), limits.max_layers));
  RETURN_IF_ERROR(
      CheckCount("maps.picture: bytes",
                 static_cast<int64_t>(request.maps().picture().size()),
                 limits.decode.max_bytes));
  return CheckPictureBytes(request.input(), limits);
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
absl::StatusOr<std::optional<Attribution>> MethodFromProto(
    const v1::Attribution& attribution, bool given_maps) {
  const bool is_set = attribution.kind_case() != v1::Attribution::KIND_NOT_SET;
  if (given_maps) {
    if (!is_set) return std::optional<Attribution>();
    return Invalid("attribution: a method or pair is not allowed with maps");
  }
  absl::StatusOr<Attribution> method = is_set
                                           ? AttributionFromProto(attribution)
                                           : Attribution::Named(kDefaultMethod);
  if (!method.ok()) return Annotate(method.status(), "attribution");
  return std::optional<Attribution>(*std::move(method));
}

absl::StatusOr<JobCombination> CombinationFromProto(
    const v1::Combination& combination, bool given_maps) {
  const v1::Attribution& attribution = combination.attribution();
  JobCombination converted;
  ASSIGN_OR_RETURN(converted.attribution,
                   MethodFromProto(attribution, given_maps));
  converted.layers.assign(attribution.layers().begin(),
                          attribution.layers().end());
  ASSIGN_OR_RETURN(converted.weighting,
                   WeightingFromProto(combination.weighting()));
  ASSIGN_OR_RETURN(converted.rule, RuleFromProto(combination.rule()));
  for (const v1::LayerWeight& weight : combination.weights()) {
    converted.weights.push_back(
        {.layer = weight.layer(), .weight = weight.weight()});
  }
  return converted;
}

absl::StatusOr<std::vector<JobCombination>> ConvertCombinations(
    const google::protobuf::RepeatedPtrField<v1::Combination>& combinations,
    bool given_maps) {
  std::vector<JobCombination> converted;
  for (const v1::Combination& combination : combinations) {
    absl::StatusOr<JobCombination> one =
        CombinationFromProto(combination, given_maps);
    if (!one.ok()) {
      return Annotate(one.status(),
                      absl::StrCat("combinations[", converted.size(), "]"));
    }
    converted.push_back(*std::move(one));
  }
  return converted;
}

// One with all defaults when there is none.
absl::StatusOr<std::vector<JobCombination>> CombinationsOf(
    const v1::CombineLayersRequest& request) {
  if (!request.combinations().empty()) {
    return ConvertCombinations(request.combinations(), request.has_maps());
  }
  google::protobuf::RepeatedPtrField<v1::Combination> one;
  one.Add();
  return ConvertCombinations(one, request.has_maps());
}

// What only a model could answer.
absl::Status CheckNoModelAsked(const v1::CombineLayersRequest& request) {
  const char* field = !request.model().empty()                   ? "model"
                      : request.has_version()                    ? "version"
                      : request.targets_size() > 0               ? "targets"
                      : request.score() != v1::SCORE_UNSPECIFIED ? "score"
                                                                 : nullptr;
  if (field == nullptr) return absl::OkStatus();
  return Invalid(field, ": not allowed with maps, which ask no model");
}

absl::StatusOr<GivenMaps> GivenMapsFromProto(const v1::GivenMaps& maps) {
  GivenMaps converted = {.picture = maps.picture()};
  for (const v1::GivenMap& map : maps.maps()) {
    const v1::Tensor& values = map.values();
    if (values.shape_size() != 2) {
      return Invalid("maps.maps[", converted.maps.size(), "].values.shape has ",
                     values.shape_size(), " sizes; [H,W] is needed");
    }
    converted.maps.push_back({.layer = map.layer(),
                              .height = values.shape(0),
                              .width = values.shape(1),
                              .data = values.data()});
  }
  return converted;
}

absl::StatusOr<JobInput> SubjectFromProto(
    const v1::CombineLayersRequest& request) {
  switch (request.subject_case()) {
    case v1::CombineLayersRequest::kInput:
      return InputFromProto(request.input());
    case v1::CombineLayersRequest::kMaps: {
      RETURN_IF_ERROR(CheckNoModelAsked(request));
      ASSIGN_OR_RETURN(GivenMaps maps, GivenMapsFromProto(request.maps()));
      return JobInput(std::move(maps));
    }
    case v1::CombineLayersRequest::SUBJECT_NOT_SET:
      break;
  }
  return Invalid("neither input nor maps is set");
}

}  // namespace

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

absl::StatusOr<std::vector<JobCombination>> CombinationsFromProto(
    const google::protobuf::RepeatedPtrField<v1::Combination>& combinations) {
  return ConvertCombinations(combinations, /*given_maps=*/false);
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

absl::StatusOr<Job> JobFromProto(const v1::CombineLayersRequest& request,
                                 const EngineLimits& limits) {
  RETURN_IF_ERROR(CheckCounts(request, limits));
  Job job;
  ASSIGN_OR_RETURN(job.input, SubjectFromProto(request));
  RETURN_IF_ERROR(FillQuestion(request, job));
  // Without a model there is no input of its.
  if (request.has_maps() && !request.output().has_explicit_size() &&
      request.output().named_size() == v1::NAMED_SIZE_UNSPECIFIED) {
    job.output.size = OutputSize::kPicture;
  }
  ASSIGN_OR_RETURN(job.combinations, CombinationsOf(request));
  job.layer_maps = request.layer_maps();
  return job;
}

void ToProto(Explanation&& explanation, absl::string_view request_id,
             v1::CombineLayersResponse* response) {
  FillHead(explanation, response);
  for (CombinedResult& combined : explanation.combined) {
    ToProto(std::move(combined), request_id, response->add_combined());
  }
  for (MapResult& map : explanation.layer_maps) {
    ToProto(std::move(map), request_id, response->add_layer_maps());
  }
}

}  // namespace saliency
