#include "core/engine/plan/answer_bytes.h"

#include "absl/strings/str_cat.h"

namespace saliency {
namespace {

// What makes this answer smaller.
const char* Advice(const OutputOptions& output) {
  switch (output.encoding) {
    case MapEncoding::kNone:
      return "fewer results in one request";
    case MapEncoding::kOverlayJpeg:
    case MapEncoding::kOverlayWebp:
      return "a smaller output.max_side or fewer maps in one request";
    case MapEncoding::kOverlayPng:
      return "output.encoding OVERLAY_JPEG or OVERLAY_WEBP, a smaller "
             "output.max_side or fewer maps in one request";
    case MapEncoding::kFloat32:
    case MapEncoding::kPng16:
    case MapEncoding::kColourPng:
      break;
  }
  if (output.size == OutputSize::kModelInput) {
    return "output.named_size LAYER, output.encoding PNG16 or NONE, or fewer "
           "maps in one request";
  }
  return "output.named_size MODEL_INPUT, output.encoding OVERLAY_JPEG or "
         "PNG16, or fewer maps in one request";
}

}  // namespace

int64_t AnswerLimit(const OutputOptions& output, const EngineLimits& limits) {
  return output.max_answer_bytes > 0 ? output.max_answer_bytes
                                     : limits.max_answer_bytes;
}

absl::Status CheckAnswerBytes(int64_t bytes, const OutputOptions& output,
                              const EngineLimits& limits) {
  const int64_t limit = AnswerLimit(output, limits);
  if (bytes <= limit) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "output: the answer has ", bytes, " bytes, of at most ", limit, " (",
      output.max_answer_bytes > 0
          ? "output.max_answer_bytes"
          : "what gRPC clients receive unless told otherwise",
      "): ask for ", Advice(output),
      "; a client whose channel receives more says so in "
      "output.max_answer_bytes"));
}

}  // namespace saliency
