#include "core/engine/run/cascading_randomization.h"

#include <ATen/ATen.h>

#include <cstddef>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/status.h"
#include "core/engine/finish/finish.h"
#include "core/engine/plan/prepare.h"
#include "core/engine/refusal.h"
#include "core/engine/run/cascade_stages.h"

namespace saliency {
namespace {

absl::Status CheckGoOn(const Job& job) {
  // First: gRPC cancels a call whose deadline has passed.
  if (absl::Now() >= job.deadline) {
    return absl::DeadlineExceededError("the deadline passed between stages");
  }
  if (job.cancel != nullptr && job.cancel->cancelled()) {
    return absl::CancelledError("the caller has gone");
  }
  return absl::OkStatus();
}

template <typename T>
void MoveTo(std::vector<T>&& from, std::vector<T>& to) {
  std::move(from.begin(), from.end(), std::back_inserter(to));
}

// Of several items of one variant that are the images of one.
PassAnswer Joined(std::vector<PassAnswer> parts) {
  PassAnswer joined;
  std::vector<at::Tensor> logits;
  std::vector<at::Tensor> stepped_logits;
  VariantAnswer& variant = joined.variants.emplace_back();
  for (PassAnswer& part : parts) {
    VariantAnswer& made = part.variants.front();
    logits.push_back(part.logits);
    if (made.stepped_logits.defined()) {
      stepped_logits.push_back(made.stepped_logits);
    }
    MoveTo(std::move(part.class_index), joined.class_index);
    MoveTo(std::move(made.score), variant.score);
    MoveTo(std::move(made.maps), variant.maps);
  }
  joined.logits = at::cat(logits);
  if (!stepped_logits.empty()) {
    variant.stepped_logits = at::cat(stepped_logits);
  }
  return joined;
}

absl::Status CheckVariants(const PassItem& item) {
  for (const Variant& variant : item.variants) {
    if (variant.samples == nullptr) continue;
    return absl::InvalidArgumentError(
        "methods that vary the input are not offered while weights are made "
        "random");
  }
  if (item.variants.size() > 1) {
    return absl::InvalidArgumentError(
        "while weights are made random all methods have to share one backward "
        "rule; ask for those with one of their own alone (guided_grad_cam goes "
        "back by two)");
  }
  return absl::OkStatus();
}

class Cascade {
 public:
  Cascade(const CascadeQuestion& question, PreparedJob prepared,
          const CopyModel& copy)
      : question_(question),
        prepared_(std::move(prepared)),
        item_(prepared_.item),
        copy_(copy) {
    // What a stage is compared with, stage 0, is the second variant of its
    // answer.
    prepared_.item.variants.push_back(item_.variants.front());
  }

  // Stage 0; settles what the others are.
  absl::StatusOr<CascadeStage> Begin() {
    ASSIGN_OR_RETURN(const ModelCopy copy, Copy({}));
    RETURN_IF_ERROR(SettleModules(copy.parameter_names));
    ASSIGN_OR_RETURN(PassAnswer answer, Explain(*copy.explainer, {item_}));
    for (std::size_t p = 0; p < prepared_.images.size(); ++p) {
      images_.push_back(ItemOf(p, answer.class_index));
    }
    first_ = answer.variants.front();
    return Finish(0, std::move(answer));
  }

  int stages() const { return static_cast<int>(modules_.size()) + 1; }

  // REQUIRES: Begin went well; 1 <= stage < stages().
  absl::StatusOr<CascadeStage> Next(int stage) {
    ASSIGN_OR_RETURN(const ModelCopy copy,
                     Copy(absl::MakeConstSpan(modules_).first(stage)));
    ASSIGN_OR_RETURN(PassAnswer answer, Explain(*copy.explainer, images_));
    return Finish(stage, std::move(answer));
  }

 private:
  absl::Status SettleModules(const std::vector<std::string>& parameter_names) {
    if (!parameter_names.empty()) {
      RETURN_IF_ERROR(CheckStages(question_.stages, parameter_names));
      modules_ = question_.stages.empty() ? DefaultStages(parameter_names)
                                          : question_.stages;
    }
    if (!modules_.empty()) return absl::OkStatus();
    return absl::FailedPreconditionError(
        "the model's file holds no modules with parameters that could be made "
        "random; frozen models have none");
  }

  // One image with the classes that its targets meant at stage 0.
  PassItem ItemOf(std::size_t image,
                  const std::vector<int64_t>& class_index) const {
    PassItem item = item_;
    const auto at = static_cast<int64_t>(image);
    item.input = item_.input.slice(0, at, at + 1);
    for (std::size_t t = 0; t < item.targets.size(); ++t) {
      static_cast<ClassTarget&>(item.targets[t]) =
          ClassIndex{class_index[image * item.targets.size() + t]};
    }
    return item;
  }

  // For whoever looks after threads that make no progress.
  std::string Working(const char* at) const {
    return absl::StrCat(at, " of a weight study of model \"",
                        question_.model.name, "\" version ",
                        question_.model.version);
  }

  absl::StatusOr<ModelCopy> Copy(
      absl::Span<const std::string> random_modules) const {
    const WorkInHand::Piece piece = question_.in_hand.Begin(Working("a copy"));
    return copy_(random_modules);
  }

  absl::StatusOr<PassAnswer> Explain(Explainer& explainer,
                                     const std::vector<PassItem>& items) const {
    const WorkInHand::Piece piece = question_.in_hand.Begin(
        Working("a pass"), [&] { return explainer.progress(); });
    std::vector<const PassItem*> pointers;
    pointers.reserve(items.size());
    for (const PassItem& item : items) pointers.push_back(&item);
    absl::StatusOr<PassAnswers> answers = explainer.Explain(pointers);
    if (absl::IsResourceExhausted(answers.status())) {
      return TooLargeError(
          "a row of the study does not fit the device's memory even alone");
    }
    RETURN_IF_ERROR(answers.status());
    return Joined(std::move(answers->items));
  }

  absl::StatusOr<CascadeStage> Finish(int stage, PassAnswer answer) const {
    const WorkInHand::Piece piece =
        question_.in_hand.Begin(Working("the maps"));
    answer.variants.push_back(first_);
    // Random weights may well give what is not finite.
    ASSIGN_OR_RETURN(Explanation explanation,
                     FinishJob(prepared_, answer, question_.model,
                               {.output = question_.job.output,
                                .top_k = question_.job.top_k,
                                .correlate = Correlate::kStages,
                                .all_may_fail = stage > 0}));
    return CascadeStage{.stage = stage,
                        .stages = stages(),
                        .module = stage == 0 ? "" : modules_[stage - 1],
                        .explanation = std::move(explanation)};
  }

  const CascadeQuestion& question_;
  PreparedJob prepared_;
  const PassItem item_;
  const CopyModel& copy_;
  std::vector<std::string> modules_;
  std::vector<PassItem> images_;
  VariantAnswer first_;  // of stage 0
};

}  // namespace

absl::Status RunCascade(const CascadeQuestion& question, const CopyModel& copy,
                        const TakeStage& take) {
  RETURN_IF_ERROR(CheckGoOn(question.job));
  ASSIGN_OR_RETURN(PreparedJob prepared,
                   PrepareJob(question.job, question.model, question.limits));
  RETURN_IF_ERROR(CheckVariants(prepared.item));
  Cascade cascade(question, std::move(prepared), copy);
  ASSIGN_OR_RETURN(CascadeStage first, cascade.Begin());
  RETURN_IF_ERROR(take(std::move(first)));
  for (int stage = 1; stage < cascade.stages(); ++stage) {
    RETURN_IF_ERROR(CheckGoOn(question.job));
    ASSIGN_OR_RETURN(CascadeStage next, cascade.Next(stage));
    RETURN_IF_ERROR(take(std::move(next)));
  }
  return absl::OkStatus();
}

}  // namespace saliency
