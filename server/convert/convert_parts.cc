#include "server/convert/convert_parts.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "server/convert/convert_rules.h"
#include "server/convert/convert_sampling.h"

namespace saliency {
namespace {

// Of a oneof `kind` that is not set: whether a newer caller has set a field of
// it that is not known here, which must not be taken for none.
absl::Status CheckKindKnown(const google::protobuf::Message& message) {
  const auto& unknown = message.GetReflection()->GetUnknownFields(message);
  if (unknown.empty()) return absl::OkStatus();
  return Invalid("field ", unknown.field(0).number(), " of ",
                 message.GetDescriptor()->name(),
                 " is not known to this server");
}

absl::StatusOr<JobTerm> TermFromProto(const v1::ScoreTerm& term) {
  const double weight = term.has_weight() ? term.weight() : 1;
  switch (term.kind_case()) {
    case v1::ScoreTerm::kClassIndex:
      return JobTerm{ClassIndex{term.class_index()}, weight};
    case v1::ScoreTerm::kLabel:
      if (term.label().empty()) return Invalid("label: empty");
      return JobTerm{Label{term.label()}, weight};
    case v1::ScoreTerm::KIND_NOT_SET:
      break;
  }
  RETURN_IF_ERROR(CheckKindKnown(term));
  return Invalid("neither class_index nor label is set");
}

absl::StatusOr<JobTarget> NamedFromProto(const v1::Target& target) {
  switch (target.kind_case()) {
    case v1::Target::kClassIndex:
      return JobTarget(ClassIndex{target.class_index()});
    case v1::Target::kLabel:
      if (target.label().empty()) return Invalid("label: empty");
      return JobTarget(Label{target.label()});
    case v1::Target::kRankFromTop:
      return JobTarget(RankFromTop{target.rank_from_top()});
    case v1::Target::kRankFromBottom:
      return JobTarget(RankFromBottom{target.rank_from_bottom()});
    case v1::Target::KIND_NOT_SET:
      break;
  }
  RETURN_IF_ERROR(CheckKindKnown(target));
  return JobTarget(RankFromTop{0});
}

absl::StatusOr<JobTarget> TargetFromProto(const v1::Target& target) {
  ASSIGN_OR_RETURN(JobTarget named, NamedFromProto(target));
  for (int i = 0; i < target.others_size(); ++i) {
    absl::StatusOr<JobTerm> term = TermFromProto(target.others(i));
    if (!term.ok()) {
      return Annotate(term.status(), absl::StrCat("others[", i, "]"));
    }
    named.others.push_back(*std::move(term));
  }
  return named;
}

absl::StatusOr<Extract> ExtractFromProto(v1::Extract extract) {
  switch (extract) {
    case v1::EXTRACT_BIAS:
      return Extract::kBias;
    case v1::EXTRACT_SCALING:
      return Extract::kScaling;
    case v1::EXTRACT_CONV1X1:
      return Extract::kConv1x1;
    case v1::EXTRACT_CONV3X3:
      return Extract::kConv3x3;
    case v1::EXTRACT_DEPTHWISE3X3:
      return Extract::kDepthwise3x3;
    case v1::EXTRACT_UNSPECIFIED:
      return Invalid("pair.extract: unspecified");
    default:
      return UnknownValue("pair.extract", extract);
  }
}

absl::StatusOr<Aggregate> AggregateFromProto(v1::Aggregate aggregate) {
  switch (aggregate) {
    case v1::AGGREGATE_SUM:
      return Aggregate::kSum;
    case v1::AGGREGATE_POSITIVE_SUM:
      return Aggregate::kPositiveSum;
    case v1::AGGREGATE_NORM:
      return Aggregate::kNorm;
    case v1::AGGREGATE_POSITIVE_NORM:
      return Aggregate::kPositiveNorm;
    case v1::AGGREGATE_MAX:
      return Aggregate::kMax;
    case v1::AGGREGATE_MAX_ABS:
      return Aggregate::kMaxAbs;
    case v1::AGGREGATE_UNSPECIFIED:
      return Invalid("pair.aggregate: unspecified");
    default:
      return UnknownValue("pair.aggregate", aggregate);
  }
}

absl::StatusOr<OutputSize> SizeFromProto(v1::NamedSize size,
                                         MapEncoding encoding) {
  switch (size) {
    case v1::NAMED_SIZE_UNSPECIFIED:
      return IsOverlay(encoding) ? OutputSize::kImage : OutputSize::kModelInput;
    case v1::NAMED_SIZE_IMAGE:
      return OutputSize::kImage;
    case v1::NAMED_SIZE_LAYER:
      return OutputSize::kLayer;
    case v1::NAMED_SIZE_MODEL_INPUT:
      return OutputSize::kModelInput;
    default:
      return UnknownValue("output.named_size", size);
  }
}

absl::StatusOr<MapEncoding> EncodingFromProto(v1::MapEncoding encoding) {
  switch (encoding) {
    case v1::MAP_ENCODING_UNSPECIFIED:
    case v1::MAP_ENCODING_FLOAT32:
      return MapEncoding::kFloat32;
    case v1::MAP_ENCODING_NONE:
      return MapEncoding::kNone;
    case v1::MAP_ENCODING_PNG16:
      return MapEncoding::kPng16;
    case v1::MAP_ENCODING_COLOUR_PNG:
      return MapEncoding::kColourPng;
    case v1::MAP_ENCODING_OVERLAY_PNG:
      return MapEncoding::kOverlayPng;
    case v1::MAP_ENCODING_OVERLAY_JPEG:
      return MapEncoding::kOverlayJpeg;
    case v1::MAP_ENCODING_OVERLAY_WEBP:
      return MapEncoding::kOverlayWebp;
    default:
      return UnknownValue("output.encoding", encoding);
  }
}

}  // namespace

absl::Status CheckCount(absl::string_view what, int64_t count, int64_t limit) {
  if (count <= limit) return absl::OkStatus();
  return Invalid(what, ": ", count, " of at most ", limit);
}

absl::Status CheckAttributionCounts(
    const google::protobuf::RepeatedPtrField<v1::Attribution>& attributions,
    const EngineLimits& limits) {
  RETURN_IF_ERROR(
      CheckCount("attributions", attributions.size(), limits.max_attributions));
  int64_t layers = 0;
  for (const v1::Attribution& attribution : attributions) {
    layers += attribution.layers_size();
  }
  return CheckCount("attributions: layers in all", layers, limits.max_layers);
}

absl::Status CheckImageBytes(const v1::Input& input,
                             const EngineLimits& limits) {
  return CheckCount("input.image: bytes",
                    static_cast<int64_t>(input.image().size()),
                    limits.decode.max_bytes);
}

absl::StatusOr<int64_t> VersionFromProto(const v1::ModelRef& model) {
  if (!model.has_version()) return 0;
  if (model.version() >= 1) return model.version();
  return Invalid("model.version: ", model.version(), " is less than 1");
}

absl::StatusOr<JobInput> InputFromProto(const v1::Input& input) {
  switch (input.source_case()) {
    case v1::Input::kImage:
      if (input.image().empty()) return Invalid("input.image: empty");
      return JobInput(EncodedImage{input.image()});
    case v1::Input::kTensor: {
      const v1::Tensor& tensor = input.tensor();
      return JobInput(TensorInput{
          {tensor.shape().begin(), tensor.shape().end()}, tensor.data()});
    }
    case v1::Input::SOURCE_NOT_SET:
      break;
  }
  return Invalid("input: neither image nor tensor is set");
}

JobInput InputFromProto(const v1::Input& input, const EngineLimits& limits,
                        Violations& found) {
  const absl::Status size = CheckImageBytes(input, limits);
  if (size.ok()) return found.Take(InputFromProto(input));
  found.Add(size);
  return JobInput();
}

std::vector<JobTarget> TargetsFromProto(
    const google::protobuf::RepeatedPtrField<v1::Target>& targets,
    const EngineLimits& limits, Violations& found) {
  std::vector<JobTarget> converted;
  const absl::Status count =
      CheckCount("targets", targets.size(), limits.max_targets);
  found.Add(count);
  if (!count.ok()) return converted;
  for (const v1::Target& target : targets) {
    absl::StatusOr<JobTarget> one = TargetFromProto(target);
    found.Add(Annotate(one.status(),
                       absl::StrCat("targets[", converted.size(), "]")));
    converted.push_back(one.ok() ? *std::move(one) : JobTarget());
  }
  return converted;
}

Attribution DefaultAttribution() {
  return Attribution::Named("norm_grad").value();
}

Attribution AttributionFromProto(const v1::Attribution& attribution,
                                 Violations& found) {
  switch (attribution.kind_case()) {
    case v1::Attribution::kMethod:
      return found.Take(Attribution::Named(attribution.method()),
                        DefaultAttribution());
    case v1::Attribution::kPair: {
      const v1::ExtractAggregate& pair = attribution.pair();
      const Extract extract = found.Take(ExtractFromProto(pair.extract()));
      const Aggregate aggregate =
          found.Take(AggregateFromProto(pair.aggregate()));
      return Attribution::Pair(extract, aggregate);
    }
    default:
      break;
  }
  if (const auto sampled = SampledFromProto(attribution, found)) {
    return *sampled;
  }
  if (const auto ruled = RuledFromProto(attribution, found)) return *ruled;
  const absl::Status known = CheckKindKnown(attribution);
  found.Add(known.ok() ? Invalid("no method is set") : known);
  return DefaultAttribution();
}

std::vector<JobAttribution> AttributionsFromProto(
    const google::protobuf::RepeatedPtrField<v1::Attribution>& attributions,
    const EngineLimits& limits, Violations& found) {
  std::vector<JobAttribution> converted;
  const absl::Status counts = CheckAttributionCounts(attributions, limits);
  found.Add(counts);
  if (!counts.ok()) return converted;
  for (const v1::Attribution& attribution : attributions) {
    Violations of_this;
    Attribution kind = AttributionFromProto(attribution, of_this);
    found.Add(absl::StrCat("attributions[", converted.size(), "]"), of_this);
    converted.push_back(
        {std::move(kind),
         {attribution.layers().begin(), attribution.layers().end()}});
  }
  if (converted.empty()) converted.push_back({DefaultAttribution(), {}});
  return converted;
}

absl::StatusOr<Score> ScoreFromProto(v1::Score score) {
  switch (score) {
    case v1::SCORE_UNSPECIFIED:
    case v1::SCORE_LOGIT:
      return Score::kLogit;
    case v1::SCORE_SOFTMAX:
      return Score::kSoftmax;
    case v1::SCORE_LOG_SOFTMAX:
      return Score::kLogSoftmax;
    case v1::SCORE_SIGMOID:
      return Score::kSigmoid;
    case v1::SCORE_LOG_SIGMOID:
      return Score::kLogSigmoid;
    case v1::SCORE_SCALAR_OUTPUT:
      return Score::kScalarOutput;
    default:
      return UnknownValue("score", score);
  }
}

OutputOptions OutputFromProto(const v1::OutputOptions& output,
                              Violations& found) {
  OutputOptions options;
  options.encoding =
      found.Take(EncodingFromProto(output.encoding()), options.encoding);
  if (output.has_explicit_size()) {
    options.size = OutputSize::kExplicit;
    options.height = output.explicit_size().height();
    options.width = output.explicit_size().width();
  } else {
    options.size = found.Take(
        SizeFromProto(output.named_size(), options.encoding), options.size);
  }
  if (output.has_normalise()) options.normalise = output.normalise();
  options.smooth_sigma = output.smooth_sigma();
  options.colour_map = output.colour_map();
  if (output.has_overlay_opacity()) {
    options.overlay_opacity = output.overlay_opacity();
  }
  if (output.has_overlay_title()) {
    options.overlay_title = output.overlay_title();
  }
  if (output.has_overlay_colour_bar()) {
    options.overlay_colour_bar = output.overlay_colour_bar();
  }
  if (output.has_max_side()) options.max_side = output.max_side();
  options.max_answer_bytes = output.max_answer_bytes();
  return options;
}

}  // namespace saliency
