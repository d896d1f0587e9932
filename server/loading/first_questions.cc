#include "server/loading/first_questions.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "core/base/status.h"
#include "core/engine/job.h"
#include "core/image/render.h"
#include "server/convert/convert_parts.h"

namespace saliency {
namespace {

// Any photograph would do: a JPEG that is no square and has to be resized.
absl::StatusOr<std::string> SomeImage() {
  Image image = {.height = 480, .width = 640};
  for (int64_t y = 0; y < image.height; ++y) {
    for (int64_t x = 0; x < image.width; ++x) {
      image.rgb.push_back(static_cast<uint8_t>(x * 255 / image.width));
      image.rgb.push_back(static_cast<uint8_t>(y * 255 / image.height));
      image.rgb.push_back(static_cast<uint8_t>((x ^ y) & 0xFF));
    }
  }
  return EncodeImage(image, ImageCoding::kJpeg);
}

Job QuestionAbout(const ModelMetadata& facts, const std::string& image,
                  absl::Time deadline) {
  return {
      .request_id = "before-ready",
      .model = facts.name,
      .version = facts.version,
      .input = EncodedImage{image},
      .score = facts.num_classes == 1 ? Score::kScalarOutput : Score::kLogit,
      .deadline = deadline};
}

absl::Status AskOnce(Job job, const SubmitJob& submit, absl::Time deadline) {
  struct Answer {
    absl::Status status;
    absl::Notification there;
  };
  // Shared: it may come when nobody waits any more.
  const auto answer = std::make_shared<Answer>();
  submit(std::move(job), [answer](absl::StatusOr<Explanation> explanation) {
    answer->status = explanation.status();
    answer->there.Notify();
  });
  if (answer->there.WaitForNotificationWithTimeout(deadline - absl::Now())) {
    return answer->status;
  }
  return absl::DeadlineExceededError("no answer");
}

int ReplicasOf(const ModelConfig& config) {
  int replicas = 0;
  for (const InstanceConfig& instance : config.instances) {
    replicas += instance.count;
  }
  return replicas;
}

}  // namespace

absl::Status AskFirstQuestions(const ModelMetadata& facts,
                               const SubmitJob& submit,
                               absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  ASSIGN_OR_RETURN(const std::string image, SomeImage());
  const Attribution method = DefaultAttribution();
  Job map = QuestionAbout(facts, image, deadline);
  map.attributions.push_back({.attribution = method});
  map.output.size = OutputSize::kModelInput;
  // Whichever worker is idle takes it: each has its turn if they take turns.
  for (int i = 0; i < ReplicasOf(facts.config); ++i) {
    RETURN_IF_ERROR(AskOnce(map, submit, deadline));
  }
  if (facts.config.combine_layers.empty()) return absl::OkStatus();
  Job overlay = QuestionAbout(facts, image, deadline);
  overlay.combinations.push_back({.attribution = method});
  overlay.output.encoding = MapEncoding::kOverlayPng;
  return AskOnce(std::move(overlay), submit, deadline);
}

}  // namespace saliency
