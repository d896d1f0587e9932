#include "core/engine/run/bisect.h"

#include <cstddef>
#include <utility>

#include "core/base/status.h"
#include "core/engine/refusal.h"
#include "core/model/torch_status.h"

namespace saliency {
namespace {

class Bisection {
 public:
  Bisection(Explainer& explainer, absl::Span<const PassItem* const> items)
      : explainer_(explainer), items_(items) {
    result_.items.resize(items.size());
  }

  BisectedBatch Run() && {
    Explain(0, items_.size());
    return std::move(result_);
  }

 private:
  void Explain(std::size_t first, std::size_t count) {
    if (count == 0 || !result_.device_lost.ok()) return;
    const absl::Status status = Attempt(first, count);
    if (status.ok()) return;
    if (absl::IsUnavailable(status)) {
      LoseDevice(status);
    } else if (count == 1 || absl::IsCancelled(status)) {
      FailItems(first, count, status);
    } else {
      if (absl::IsResourceExhausted(status)) ++result_.out_of_memory_retries;
      Explain(first, count / 2);
      Explain(first + count / 2, count - count / 2);
    }
  }

  absl::Status Attempt(std::size_t first, std::size_t count) {
    detail_.clear();
    return CatchAsStatus(
        "the model's pass failed",
        [&]() -> absl::Status {
          ASSIGN_OR_RETURN(PassAnswers answers,
                           explainer_.Explain(items_.subspan(first, count)));
          return Keep(std::move(answers), first, count);
        },
        [this](absl::string_view detail) {
          detail_.assign(detail.data(), detail.size());
        });
  }

  absl::Status Keep(PassAnswers answers, std::size_t first, std::size_t count) {
    if (answers.items.size() != count) {
      return absl::InternalError("the explainer answered another batch");
    }
    for (std::size_t i = 0; i < count; ++i) {
      result_.items[first + i].answer = std::move(answers.items[i]);
    }
    result_.forward_time += answers.forward_time;
    result_.backward_time += answers.backward_time;
    result_.aggregate_time += answers.aggregate_time;
    result_.out_of_memory_retries += answers.out_of_memory_retries;
    return absl::OkStatus();
  }

  void LoseDevice(const absl::Status& status) {
    result_.device_lost = absl::UnavailableError("the model's device was lost");
    for (BisectedItem& item : result_.items) {
      if (item.answer.ok()) continue;
      item.answer = result_.device_lost;
      item.detail = TorchDetail(status);
    }
  }

  void FailItems(std::size_t first, std::size_t count, absl::Status status) {
    if (detail_.empty()) detail_ = TorchDetail(status);
    if (absl::IsResourceExhausted(status)) {
      ++result_.out_of_memory_refusals;
      status = TooLargeError(
          "the request does not fit the device's memory even alone");
    }
    for (std::size_t i = first; i < first + count; ++i) {
      result_.items[i].answer = status;
      result_.items[i].detail = detail_;
    }
  }

  Explainer& explainer_;
  absl::Span<const PassItem* const> items_;
  BisectedBatch result_;
  std::string detail_;  // of the last attempt
};

}  // namespace

BisectedBatch ExplainBisecting(Explainer& explainer,
                               absl::Span<const PassItem* const> items) {
  return Bisection(explainer, items).Run();
}

}  // namespace saliency
