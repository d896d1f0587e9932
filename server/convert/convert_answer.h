// From an Explanation to the wire.
// Pure functions; safe from any thread.

#ifndef SALIENCY_SERVER_CONVERT_CONVERT_ANSWER_H_
#define SALIENCY_SERVER_CONVERT_CONVERT_ANSWER_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "core/engine/finish/overall_status.h"
#include "core/engine/job.h"
#include "saliency/v1/saliency_service.pb.h"

namespace saliency {

// Fills `response`, taking the maps' bytes; a failed result carries the status
// that a caller may see (public_status.h).
void ToProto(Explanation&& explanation, absl::string_view request_id,
             v1::ComputeSaliencyResponse* response);

// One map; its bytes are taken.
void ToProto(MapResult&& result, absl::string_view request_id,
             v1::SaliencyMap* out);

// As a caller may see it already.
void ToProto(const absl::Status& status, v1::ResultStatus* out);
void ToProto(const ClassScore& score, v1::ClassScore* out);
void ToProto(const ImageInfo& image, v1::ImageSummary* out);
void ToProto(const StageTimes& times, v1::StageSeconds* out);

// What the answers of all requests for explanations begin and end with: model,
// version, images, times and the batch.
template <typename Response>
void FillHead(const Explanation& explanation, Response* response) {
  response->set_model(explanation.model);
  response->set_version(explanation.version);
  for (const ImageInfo& image : explanation.images) {
    ToProto(image, response->add_images());
  }
  ToProto(explanation.times, response->mutable_seconds());
  response->set_batch_requests(explanation.batch_requests);
  response->set_batch_rows(explanation.batch_rows);
}

}  // namespace saliency

#endif  // SALIENCY_SERVER_CONVERT_CONVERT_ANSWER_H_
