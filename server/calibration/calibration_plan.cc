#include "server/calibration/calibration_plan.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "core/base/near_names.h"
#include "core/base/status.h"
#include "core/base/violations.h"
#include "core/engine/plan/plan_results.h"
#include "core/engine/plan/resolve_targets.h"
#include "server/convert/convert_answer.h"
#include "server/convert/convert_parts.h"
#include "server/convert/layer_weights_text.h"

namespace saliency {
namespace {

constexpr int64_t kMaxStoredLayers = 512;  // of layer_weights.pbtxt
constexpr int64_t kMaxTextBytes = 256;
constexpr int64_t kMinPerClass = 2;
constexpr int64_t kMaxPerClass = 100'000;

int64_t ChannelsOf(const ModelMetadata& metadata, const std::string& layer) {
  for (const LayerInfo& info : metadata.layers) {
    if (info.name == layer) return info.shape.front();
  }
  return 0;
}

void FillLayers(const v1::CalibrationSettings& settings,
                const EngineLimits& limits, CalibrationPlan& plan,
                Violations& found) {
  const ModelMetadata& metadata = *plan.model.metadata;
  const absl::Status count =
      CheckCount("settings.layers", settings.layers_size(),
                 std::min<int64_t>(kMaxStoredLayers, limits.max_layers));
  found.Add(count);
  if (!count.ok()) return;
  plan.layers.assign(settings.layers().begin(), settings.layers().end());
  if (plan.layers.empty()) plan.layers = metadata.config.combine_layers;
  if (plan.layers.empty()) {
    found.Add(
        Invalid("settings.layers: empty, and the model has no combine_layers"));
  }
  std::set<std::string> seen;
  for (std::size_t i = 0; i < plan.layers.size(); ++i) {
    const std::string& layer = plan.layers[i];
    const std::string field = absl::StrCat("settings.layers[", i, "]");
    if (!seen.insert(layer).second) {
      found.Add(Invalid(field, ": \"", Printable(layer), "\" is named twice"));
    }
    const absl::Status spatial = CheckSpatialLayer(metadata, layer);
    found.Add(Annotate(spatial, field));
    if (spatial.ok()) plan.channels.push_back(ChannelsOf(metadata, layer));
  }
}

// Written so that a NaN fails.
void FillNumbers(const v1::CalibrationSettings& settings, CalibrationPlan& plan,
                 Violations& found) {
  plan.seed = settings.seed();
  if (settings.has_images_per_class()) {
    plan.per_class = settings.images_per_class();
  }
  if (plan.per_class < kMinPerClass || plan.per_class > kMaxPerClass) {
    found.Add(Invalid("settings.images_per_class: ", plan.per_class,
                      " not in [", kMinPerClass, ", ", kMaxPerClass, "]"));
  }
  if (settings.has_held_out()) plan.held_out = settings.held_out();
  if (!(plan.held_out > 0 && plan.held_out < 1)) {
    found.Add(Invalid("settings.held_out: ", plan.held_out, " not in (0, 1)"));
  }
  if (settings.has_l2_penalty()) plan.l2_penalty = settings.l2_penalty();
  if (!(plan.l2_penalty >= 0 && std::isfinite(plan.l2_penalty))) {
    found.Add(Invalid("settings.l2_penalty: ", plan.l2_penalty,
                      " is not a finite number >= 0"));
  }
}

absl::StatusOr<int64_t> ClassFromProto(const v1::Target& target,
                                       const std::string& field,
                                       const ModelMetadata& metadata) {
  JobTarget named;
  if (!target.others().empty()) {
    return Invalid(field, ".others: the class of an image is one");
  }
  if (target.kind_case() == v1::Target::kClassIndex) {
    named = ClassIndex{.index = target.class_index()};
  } else if (target.kind_case() == v1::Target::kLabel) {
    named = Label{.text = target.label()};
  } else {
    return Invalid(field, ": neither class_index nor label is set");
  }
  ASSIGN_OR_RETURN(const ClassTarget resolved,
                   ResolveJobTarget(named, metadata, field));
  return std::get<ClassIndex>(resolved).index;
}

// Classes of one list, none of which may be in `seen`, to which they go.
absl::StatusOr<std::vector<int64_t>> ClassesFromProto(
    const google::protobuf::RepeatedPtrField<v1::Target>& targets,
    absl::string_view list, const ModelMetadata& metadata,
    std::set<int64_t>& seen) {
  RETURN_IF_ERROR(CheckCount(list, targets.size(), metadata.num_classes));
  std::vector<int64_t> classes;
  for (const v1::Target& target : targets) {
    const std::string field = absl::StrCat(list, "[", classes.size(), "]");
    ASSIGN_OR_RETURN(const int64_t index,
                     ClassFromProto(target, field, metadata));
    if (!seen.insert(index).second) {
      return Invalid(field, ": class ", index, " is named twice");
    }
    classes.push_back(index);
  }
  return classes;
}

absl::Status CheckOneImage(const JobInput& input) {
  const auto* tensor = std::get_if<TensorInput>(&input);
  if (tensor == nullptr || tensor->shape.size() != 4 || tensor->shape[0] == 1) {
    return absl::OkStatus();
  }
  return Invalid("input.tensor: ", tensor->shape[0], " images, of exactly 1");
}

std::string LabelOf(const ModelMetadata& metadata, int64_t index) {
  return metadata.labels.empty() ? std::string() : metadata.labels[index];
}

}  // namespace

absl::StatusOr<CalibrationPlan> PlanCalibration(
    const v1::CalibrationSettings& settings, ModelVersion model,
    const EngineLimits& limits) {
  CalibrationPlan plan = {.model = std::move(model)};
  const ModelMetadata& metadata = *plan.model.metadata;
  Violations found;
  if (metadata.num_classes < 2) {
    found.Add(Invalid("settings.model: \"", plan.model.model, "\" has ",
                      metadata.num_classes, " output, of at least 2"));
  }
  FillLayers(settings, limits, plan, found);
  FillNumbers(settings, plan, found);
  found.Add(CheckCount("settings.data: bytes",
                       static_cast<int64_t>(settings.data().size()),
                       kMaxTextBytes));
  RETURN_IF_ERROR(found.status());
  plan.data = settings.data();
  plan.multi_label =
      settings.has_multi_label()
          ? settings.multi_label()
          : !metadata.meaning.exclusive &&
                metadata.meaning.probabilities != Probabilities::kNone;
  return plan;
}

absl::StatusOr<CalibrationImage> ImageFromProto(const v1::LabelledImage& image,
                                                const CalibrationPlan& plan,
                                                const EngineLimits& limits) {
  const ModelMetadata& metadata = *plan.model.metadata;
  RETURN_IF_ERROR(CheckCount(
      "id: bytes", static_cast<int64_t>(image.id().size()), kMaxTextBytes));
  RETURN_IF_ERROR(CheckCount("input.image: bytes",
                             static_cast<int64_t>(image.input().image().size()),
                             limits.decode.max_bytes));
  CalibrationImage converted;
  std::set<int64_t> seen;
  ASSIGN_OR_RETURN(
      converted.classes.present,
      ClassesFromProto(image.classes(), "classes", metadata, seen));
  ASSIGN_OR_RETURN(
      converted.classes.uncertain,
      ClassesFromProto(image.uncertain(), "uncertain", metadata, seen));
  const std::size_t classes = converted.classes.present.size();
  if (classes == 0) return Invalid("classes: none, of at least 1");
  if (!plan.multi_label && classes > 1) {
    return Invalid("classes: ", classes, ", of exactly 1 without multi_label");
  }
  if (!plan.multi_label && image.uncertain_size() > 0) {
    return Invalid("uncertain: ", image.uncertain_size(),
                   ", of none without multi_label");
  }
  ASSIGN_OR_RETURN(converted.input, InputFromProto(image.input()));
  RETURN_IF_ERROR(CheckOneImage(converted.input));
  return converted;
}

LayerWeights WeightsFrom(const LayerMeasurement& measurement,
                         const CalibrationPlan& plan, absl::Time now) {
  LayerWeights weights = {
      .model_sha256 = plan.model.sha256,
      .calibrated_at =
          absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", now, absl::UTCTimeZone()),
      .data = plan.data,
      .images = measurement.training_images + measurement.held_out_images,
      .classes = static_cast<int>(measurement.classes.size())};
  for (std::size_t i = 0; i < plan.layers.size(); ++i) {
    const MeasuredLayer& measured = measurement.layers[i];
    weights.layers.push_back(
        {.layer = plan.layers[i],
         .feature_spread = measured.feature_spread,
         .classification_accuracy = measured.classification_accuracy});
  }
  return weights;
}

std::string ImageName(const v1::LabelledImage& image) {
  return static_cast<int64_t>(image.id().size()) <= kMaxTextBytes
             ? image.id()
             : Printable(image.id());
}

v1::CalibrateLayerWeightsResponse ProgressMessage(
    v1::CalibrationProgress::Phase phase, int64_t done, int64_t total) {
  v1::CalibrateLayerWeightsResponse response;
  response.mutable_progress()->set_phase(phase);
  response.mutable_progress()->set_done(done);
  response.mutable_progress()->set_total(total);
  return response;
}

v1::CalibrateLayerWeightsResponse RejectionMessage(absl::string_view id,
                                                   const absl::Status& status) {
  v1::CalibrateLayerWeightsResponse response;
  response.mutable_rejected()->set_id(std::string(id));
  ToProto(status, response.mutable_rejected()->mutable_status());
  return response;
}

v1::CalibrateLayerWeightsResponse ResultMessage(
    const CalibrationPlan& plan, const LayerMeasurement& measurement,
    const std::vector<LeftOutClass>& left_out, const LayerWeights& weights,
    const absl::Status& stored) {
  v1::CalibrateLayerWeightsResponse response;
  v1::CalibrationResult* result = response.mutable_result();
  ToProto(plan.model.model, plan.model.version, result->mutable_model());
  *result->mutable_layer_weights() = ToProto(weights);
  ToProto(stored, result->mutable_stored());
  result->set_file_text(LayerWeightsText(weights));
  result->set_training_images(measurement.training_images);
  result->set_held_out_images(measurement.held_out_images);
  for (const LeftOutClass& one : left_out) {
    v1::LeftOutClass* out = result->add_left_out();
    out->set_class_index(static_cast<int32_t>(one.index));
    out->set_label(LabelOf(*plan.model.metadata, one.index));
    out->set_reason(one.reason);
  }
  return response;
}

}  // namespace saliency
