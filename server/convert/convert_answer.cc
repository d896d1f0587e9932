#include "server/convert/convert_answer.h"

#include <string>
#include <utility>

#include "server/convert/public_status.h"
#include "server/convert/status_details.h"

namespace saliency {
namespace {

v1::MapEncoding EncodingToProto(MapEncoding encoding) {
  switch (encoding) {
    case MapEncoding::kNone:
      return v1::MAP_ENCODING_NONE;
    case MapEncoding::kFloat32:
      return v1::MAP_ENCODING_FLOAT32;
    case MapEncoding::kPng16:
      return v1::MAP_ENCODING_PNG16;
    case MapEncoding::kColourPng:
      return v1::MAP_ENCODING_COLOUR_PNG;
    case MapEncoding::kOverlayPng:
      return v1::MAP_ENCODING_OVERLAY_PNG;
    case MapEncoding::kOverlayJpeg:
      return v1::MAP_ENCODING_OVERLAY_JPEG;
    case MapEncoding::kOverlayWebp:
      return v1::MAP_ENCODING_OVERLAY_WEBP;
  }
  return v1::MAP_ENCODING_UNSPECIFIED;
}

bool SeesAll(const MapResult& result) {
  return result.region ==
         PixelRect{.height = result.height, .width = result.width};
}

void FillMap(MapResult&& result, v1::SaliencyMap* out) {
  ToProto(result.explained, out->mutable_explained_class());
  out->set_others(result.others_text);
  out->set_score(result.score);
  out->set_height(static_cast<int32_t>(result.height));
  out->set_width(static_cast<int32_t>(result.width));
  out->set_raw_min(result.raw_min);
  out->set_raw_max(result.raw_max);
  out->mutable_point()->set_y(static_cast<int32_t>(result.point_y));
  out->mutable_point()->set_x(static_cast<int32_t>(result.point_x));
  v1::Point* on_image = out->mutable_image_point();
  on_image->set_y(static_cast<int32_t>(result.image_y));
  on_image->set_x(static_cast<int32_t>(result.image_x));
  out->set_is_signed(result.is_signed);
  out->set_constant(result.constant);
  out->set_warning(result.warning);
  if (result.completeness_gap.has_value()) {
    out->set_completeness_gap(*result.completeness_gap);
  }
  if (!SeesAll(result)) {
    v1::Rect* region = out->mutable_region();
    region->set_y(static_cast<int32_t>(result.region.y));
    region->set_x(static_cast<int32_t>(result.region.x));
    region->set_height(static_cast<int32_t>(result.region.height));
    region->set_width(static_cast<int32_t>(result.region.width));
  }
  out->set_encoding(EncodingToProto(result.encoding));
  out->set_data(std::move(result.data));
}

}  // namespace

void ToProto(const absl::Status& status, v1::ResultStatus* out) {
  out->set_code(static_cast<int32_t>(status.code()));
  out->set_message(std::string(status.message()));
  *out->mutable_details() = DetailsOf(status);
}

void ToProto(const ClassScore& score, v1::ClassScore* out) {
  out->set_class_index(static_cast<int32_t>(score.index));
  out->set_label(score.label);
  out->set_logit(score.logit);
  if (score.probability.has_value()) {
    out->set_probability(*score.probability);
  }
}

void ToProto(const ImageInfo& image, v1::ImageSummary* out) {
  out->set_height(static_cast<int32_t>(image.height));
  out->set_width(static_cast<int32_t>(image.width));
  for (const ClassScore& score : image.top) ToProto(score, out->add_top());
}

void ToProto(MapResult&& result, absl::string_view request_id,
             v1::SaliencyMap* out) {
  const absl::Status status = PublicStatus(result.status, request_id);
  ToProto(status, out->mutable_status());
  out->set_image(result.image);
  out->set_target(result.target);
  out->set_attribution(result.attribution);
  out->set_method(result.method);
  out->set_layer(result.layer);
  if (status.ok()) FillMap(std::move(result), out);
}

void ToProto(const StageTimes& times, v1::Timing* out) {
  out->set_decode_seconds(absl::ToDoubleSeconds(times.decode));
  out->set_queue_seconds(absl::ToDoubleSeconds(times.queue));
  out->set_forward_seconds(absl::ToDoubleSeconds(times.forward));
  out->set_backward_seconds(absl::ToDoubleSeconds(times.backward));
  out->set_aggregate_seconds(absl::ToDoubleSeconds(times.aggregate));
  out->set_render_seconds(absl::ToDoubleSeconds(times.render));
}

void ToProto(absl::string_view name, int64_t version, v1::ModelRef* out) {
  out->set_name(std::string(name));
  out->set_version(version);
}

void FillModelAndImages(const Explanation& explanation,
                        v1::AnswerSummary* out) {
  if (!explanation.model.empty()) {
    ToProto(explanation.model, explanation.version, out->mutable_model());
  }
  for (const ImageInfo& image : explanation.images) {
    ToProto(image, out->add_images());
  }
}

void ToProto(const Explanation& explanation, v1::AnswerSummary* out) {
  FillModelAndImages(explanation, out);
  ToProto(explanation.times, out->mutable_timing());
  out->mutable_batch()->set_requests(explanation.batch_requests);
  out->mutable_batch()->set_rows(explanation.batch_rows);
}

void ToProto(Explanation&& explanation, absl::string_view request_id,
             v1::ComputeSaliencyResponse* response) {
  ToProto(explanation, response->mutable_summary());
  for (MapResult& result : explanation.results) {
    ToProto(std::move(result), request_id, response->add_maps());
  }
}

}  // namespace saliency
