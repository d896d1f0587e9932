#include "server/calibration/calibration_run.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "core/attribution/measure_layers.h"
#include "core/base/status.h"
#include "core/engine/refusal.h"
#include "core/model/torch_status.h"
#include "server/convert/public_status.h"

namespace saliency {
namespace {

using Progress = v1::CalibrationProgress;

constexpr int kMinInWork = 4;
constexpr int64_t kMaxBytesInWork = int64_t{64} << 20;  // or one image
// For our last message to leave.
constexpr absl::Duration kFarewell = absl::Seconds(5);

// Two batches: one that runs and one that waits.
int WindowOf(const CalibrationPlan& plan) {
  return std::max(
      2 * static_cast<int>(plan.model.metadata->config.batching.max_rows),
      kMinInWork);
}

int64_t BytesOf(const JobInput& input) {
  if (const auto* image = std::get_if<EncodedImage>(&input)) {
    return static_cast<int64_t>(image->bytes.size());
  }
  const auto* tensor = std::get_if<TensorInput>(&input);
  return tensor == nullptr ? 0 : static_cast<int64_t>(tensor->data.size());
}

bool IsQueueFull(const absl::Status& status) {
  return absl::IsResourceExhausted(status) && !NeverRetry(status);
}

// Not the image's fault: no other image would fare better.
bool EndsCalibration(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:       // draining, device lost
    case absl::StatusCode::kNotFound:          // the model was taken away
    case absl::StatusCode::kDeadlineExceeded:  // the call's
    case absl::StatusCode::kCancelled:
      return true;
    default:
      return false;
  }
}

}  // namespace

CalibrationRun::CalibrationRun(const CalibrationTools& tools,
                               CalibrationCall& call, CalibrationPlan plan)
    : tools_(tools),
      call_(call),
      events_(call.events()),
      plan_(std::move(plan)),
      max_in_work_(WindowOf(plan_)),
      writer_(call, tools.clock),
      sample_({.per_class = plan_.per_class,
               .seed = plan_.seed,
               .max_bytes = tools.max_feature_bytes}) {}

absl::Status CalibrationRun::Run() {
  absl::Status status = Collect();
  if (status.ok()) {
    status = CatchTorch(absl::StatusCode::kInternal, "calibrating failed",
                        [this] { return Measure(); });
  }
  if (!status.ok()) Abandon();
  return status;
}

absl::Status CalibrationRun::Collect() {
  while (!is_caller_done_ || !in_work_.empty()) {
    if (WantsMessage()) {
      is_reading_ = true;
      call_.Read();
    }
    RETURN_IF_ERROR(Turn());
  }
  RETURN_IF_ERROR(events_->end());
  if (!has_end_) {
    return absl::InvalidArgumentError(
        "end: missing; without it, the last message, the images may not be all "
        "that were sent");
  }
  writer_.Write(ProgressMessage(Progress::PHASE_FEATURES, images_done_, 0));
  return absl::OkStatus();
}

absl::Status CalibrationRun::Measure() {
  std::vector<LeftOutClass> left_out;
  const auto layers = static_cast<int64_t>(plan_.layers.size());
  std::atomic<int64_t> steps = 0;
  const MeasureOptions options = {
      .classifier = {.multi_label = plan_.multi_label,
                     .l2_penalty = plan_.l2_penalty,
                     .cancelled =
                         [&] {
                           ++steps;  // it is asked at each
                           return !events_->end().ok();
                         }},
      .held_out = plan_.held_out,
      .seed = plan_.seed,
      .on_layer = [&](int64_t done) {
        // What it brings shows among the events again.
        CatchUp().IgnoreError();
        writer_.WriteProgress(Progress::PHASE_CLASSIFIERS, done, layers);
      }};
  const auto measure = [&] {
    const WorkInHand::Piece piece = tools_.in_hand.Begin(
        absl::StrCat("a calibration of model \"", plan_.model.model,
                     "\" version ", plan_.model.version),
        [&] { return steps.load(); });
    return MeasureLayers(sample_, plan_.channels, options, left_out);
  };
  absl::StatusOr<LayerMeasurement> measured = measure();
  // The reason for it rather than "cancelled".
  RETURN_IF_ERROR(events_->end());
  RETURN_IF_ERROR(measured.status());
  writer_.Write(ProgressMessage(Progress::PHASE_CLASSIFIERS, layers, layers));
  // Nothing is stored for a caller that has gone meanwhile.
  RETURN_IF_ERROR(Flush());
  const LayerWeights weights =
      WeightsFrom(*measured, plan_, tools_.clock.Now());
  const absl::Status stored = tools_.store.Store(plan_.model, weights);
  if (absl::IsAborted(stored)) return stored;
  writer_.Write(ResultMessage(plan_, *measured, left_out, weights, stored));
  return Flush();
}

void CalibrationRun::Abandon() {
  writer_.DiscardPending();
  for (const auto& [number, image] : in_work_) {
    if (image.cancel != nullptr) image.cancel->Cancel();
  }
  for (const int64_t number : again_) in_work_.erase(number);
  absl::Time deadline = tools_.clock.Now() + kFarewell;
  while (!in_work_.empty() || writer_.is_speaking()) {
    const auto event = events_->TakeAfterEnd(tools_.clock, deadline);
    if (!event.has_value()) {
      call_.Abort();
      deadline = absl::InfiniteFuture();
    } else if (std::holds_alternative<MessageLeft>(*event)) {
      writer_.Left();
    } else if (const auto* answer = std::get_if<ImageAnswer>(&*event)) {
      in_work_.erase(answer->number);
    }
  }
}

absl::Status CalibrationRun::Turn() {
  ASSIGN_OR_RETURN(std::optional<CalibrationEvent> event,
                   events_->Take(tools_.clock, WakeTime()));
  if (event.has_value()) return Handle(*std::move(event));
  if (tools_.clock.Now() >= again_at_) {
    SubmitAgain();
    return absl::OkStatus();
  }
  return absl::DeadlineExceededError(
      absl::StrCat(writer_.is_speaking() ? "no message was taken for "
                                         : "no image came for ",
                   absl::FormatDuration(tools_.idle_timeout)));
}

absl::Status CalibrationRun::CatchUp() {
  while (true) {
    ASSIGN_OR_RETURN(std::optional<CalibrationEvent> event,
                     events_->Take(tools_.clock, absl::InfinitePast()));
    if (!event.has_value()) return absl::OkStatus();
    RETURN_IF_ERROR(Handle(*std::move(event)));
  }
}

absl::Status CalibrationRun::Flush() {
  while (writer_.is_speaking()) RETURN_IF_ERROR(Turn());
  return absl::OkStatus();
}

absl::Status CalibrationRun::Handle(CalibrationEvent event) {
  return std::visit([this](auto&& one) { return On(std::move(one)); },
                    std::move(event));
}

absl::Status CalibrationRun::On(v1::CalibrateLayerWeightsRequest message) {
  is_reading_ = false;
  switch (message.part_case()) {
    case v1::CalibrateLayerWeightsRequest::kImage:
      Accept(message.image());
      return absl::OkStatus();
    case v1::CalibrateLayerWeightsRequest::kSettings:
      return absl::InvalidArgumentError(
          "settings: sent again; they are the first message alone");
    case v1::CalibrateLayerWeightsRequest::kEnd:
      if (message.end().images() != images_seen_) {
        return absl::InvalidArgumentError(
            absl::StrCat("end.images: ", message.end().images(), ", but ",
                         images_seen_, " have come"));
      }
      has_end_ = true;
      is_caller_done_ = true;
      return absl::OkStatus();
    case v1::CalibrateLayerWeightsRequest::PART_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("part: neither settings nor image nor end");
}

absl::Status CalibrationRun::On(CallerIsDone) {
  is_reading_ = false;
  is_caller_done_ = true;
  return absl::OkStatus();
}

absl::Status CalibrationRun::On(MessageLeft left) {
  if (!left.ok) {
    writer_.DiscardPending();
    events_->End(absl::CancelledError("the caller has gone"));
  }
  writer_.Left();
  return events_->end();
}

absl::Status CalibrationRun::On(ImageAnswer answer) {
  const auto found = in_work_.find(answer.number);
  if (IsQueueFull(answer.answer.status())) {
    again_.push_back(answer.number);
    again_at_ = std::min(again_at_, tools_.clock.Now() + kRetryPushback);
    return absl::OkStatus();
  }
  InWork image = std::move(found->second);
  in_work_.erase(found);
  bytes_in_work_ -= image.bytes;
  if (!answer.answer.ok()) {
    if (EndsCalibration(answer.answer.status())) {
      return answer.answer.status();
    }
    Reject(image.id, answer.answer.status());
    return absl::OkStatus();
  }
  ++images_run_;
  const absl::Status added =
      sample_.Add(answer.number, std::move(image.classes),
                  std::move(answer.answer->images.front().pooled));
  // The same images would not fit the next time either.
  if (absl::IsResourceExhausted(added)) return TooLargeError(added.message());
  RETURN_IF_ERROR(added);
  CountImage();
  return absl::OkStatus();
}

void CalibrationRun::Accept(const v1::LabelledImage& image) {
  const int64_t number = images_seen_++;
  absl::StatusOr<CalibrationImage> converted =
      ImageFromProto(image, plan_, tools_.limits);
  if (!converted.ok()) {
    Reject(ImageName(image), converted.status());
    return;
  }
  if (!sample_.Wants(number, converted->classes.present)) {
    CountImage();
    return;
  }
  InWork& in_work = in_work_[number];
  in_work.id = ImageName(image);
  in_work.classes = std::move(converted->classes);
  in_work.input = std::move(converted->input);
  in_work.bytes = BytesOf(in_work.input);
  bytes_in_work_ += in_work.bytes;
  Submit(number);
}

void CalibrationRun::Submit(int64_t number) {
  InWork& image = in_work_.at(number);
  image.cancel = std::make_shared<CancelToken>();
  Job job;
  job.request_id = call_.request_id();
  job.caller = call_.caller();
  job.model = plan_.model.model;
  job.version = plan_.model.version;
  job.input = image.input;
  job.pooled_layers = plan_.layers;
  job.output.encoding = MapEncoding::kNone;
  job.top_k = 1;
  job.deadline = call_.deadline();
  job.cancel = image.cancel;
  // The answer may come at once, on this thread.
  tools_.submit(std::move(job), [events = events_,
                                 number](absl::StatusOr<Explanation> answer) {
    events->Put(ImageAnswer{.number = number, .answer = std::move(answer)});
  });
}

void CalibrationRun::SubmitAgain() {
  again_at_ = absl::InfiniteFuture();
  for (const int64_t number : std::exchange(again_, {})) Submit(number);
}

void CalibrationRun::Reject(const std::string& id, const absl::Status& why) {
  writer_.Write(RejectionMessage(id, PublicStatus(why, call_.request_id())));
  CountImage();
}

void CalibrationRun::CountImage() {
  ++images_done_;
  writer_.WriteProgress(Progress::PHASE_FEATURES, images_done_, 0);
}

// One that does not listen gets no further chance to be told of its images.
bool CalibrationRun::WantsMessage() const {
  const auto in_work = static_cast<int>(in_work_.size());
  return !is_reading_ && !is_caller_done_ && in_work < max_in_work_ &&
         (in_work == 0 || bytes_in_work_ < kMaxBytesInWork) &&
         writer_.waiting() < max_in_work_;
}

absl::Time CalibrationRun::WakeTime() const {
  // While the engine has something, the caller may wait for it.
  const bool waits_for_engine = in_work_.size() > again_.size();
  const bool waits_for_caller =
      writer_.is_speaking() || (is_reading_ && !waits_for_engine);
  return std::min(again_at_, waits_for_caller
                                 ? tools_.clock.Now() + tools_.idle_timeout
                                 : absl::InfiniteFuture());
}

}  // namespace saliency
