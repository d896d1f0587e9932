// From an Explanation to the wire.
// Pure functions; safe from any thread.

#ifndef SALIENCY_SERVER_CONVERT_CONVERT_ANSWER_H_
#define SALIENCY_SERVER_CONVERT_CONVERT_ANSWER_H_

#include <cstdint>

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

// As a caller may see it already, with its details.
void ToProto(const absl::Status& status, v1::ResultStatus* out);
void ToProto(const ClassScore& score, v1::ClassScore* out);
void ToProto(const StageTimes& times, v1::Timing* out);
void ToProto(absl::string_view name, int64_t version, v1::ModelRef* out);

// The model, unless there was none, and the images alone.
void FillModelAndImages(const Explanation& explanation, v1::AnswerSummary* out);
// All of the summary.
void ToProto(const Explanation& explanation, v1::AnswerSummary* out);

}  // namespace saliency

#endif  // SALIENCY_SERVER_CONVERT_CONVERT_ANSWER_H_
