#include "core/model/check/origin_study.h"

#include <ATen/ATen.h>

#include <functional>

#include "core/base/status.h"
#include "core/model/check/grid_positions.h"
#include "core/model/check/operator_watch.h"
#include "core/model/check/origins.h"
#include "core/model/check/row_influence.h"
#include "core/model/scores.h"
#include "core/model/torch_status.h"

namespace saliency {
namespace {

constexpr int kTwoImages = 3;  // the set of both

class OriginFollower {
 public:
  void NoteInput(const at::Tensor& images) {
    const at::Tensor rows = origins_.Of(images).rows;
    for (int64_t n = 0; n < images.size(0); ++n) {
      rows.select(0, n).fill_(1 << n);
    }
    NoteGrid(images, {.kind = GridKind::kGrid}, origins_);
  }

  absl::Status Follow(const OperatorCall& call) {
    if (call.draws_random && study_.random_operator.empty()) {
      study_.random_operator = call.name();
    }
    if (call.draws_random) study_.draws_order |= GivesIntegers(call);
    if (call.results.empty() || !TouchesImages(call) || IsView(call)) {
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(Attempt(
        [&] {
          if (study_.mixing_operator.empty()) NoteRows(call);
        },
        [&] { study_.mixing_operator = call.name(); }));
    return Attempt([&] { NotePositions(call, origins_); }, [] {});
  }

  bool Knows(const at::Tensor& tensor) { return origins_.Knows(tensor); }

  bool RowsApart(const at::Tensor& tensor) {
    if (!study_.mixing_operator.empty() || !origins_.Knows(tensor)) return true;
    const at::Tensor rows = origins_.Of(tensor).rows;
    if (rows.dim() == 0) return rows.item<int64_t>() == 0;
    for (int64_t n = 0; n < rows.size(0); ++n) {
      const int own = n < 2 ? 1 << n : 0;
      if (rows.select(0, n).bitwise_and(~own).ne(0).any().item<bool>()) {
        return false;
      }
    }
    return true;
  }

  GridAxes Axes(const at::Tensor& tensor) {
    if (tensor.dim() != 4 || !origins_.Knows(tensor)) return {};
    return ReadGridAxes(origins_.Of(tensor));
  }

  OriginStudy& study() { return study_; }

 private:
  bool TouchesImages(const OperatorCall& call) {
    for (const c10::IValue& handle : call.handles) {
      for (const at::Tensor& tensor : TensorsIn(handle)) {
        if (origins_.Knows(tensor)) return true;
      }
    }
    return false;
  }

  static bool GivesIntegers(const OperatorCall& call) {
    for (const at::Tensor& result : call.results) {
      if (at::isIntegralType(result.scalar_type(), /*includeBool=*/false)) {
        return true;
      }
    }
    return false;
  }

  // Lack of memory and a lost device are errors; what LibTorch refuses is met
  // with `otherwise`.
  static absl::Status Attempt(const std::function<void()>& work,
                              const std::function<void()>& otherwise) {
    const absl::Status status = CatchTorch(absl::StatusCode::kInvalidArgument,
                                           "following an operator", [&] {
                                             work();
                                             return absl::OkStatus();
                                           });
    if (!absl::IsInvalidArgument(status)) return status;
    otherwise();
    return absl::OkStatus();
  }

  // Everything it gives is in memory that is known and that it did not write.
  bool IsView(const OperatorCall& call) {
    if (call.schema.is_mutable()) return false;
    for (const at::Tensor& result : call.results) {
      if (!origins_.Knows(result)) return false;
    }
    return true;
  }

  void NoteRows(const OperatorCall& call) {
    const std::vector<at::Tensor> rows = RowsOfResults(call, origins_);
    for (size_t i = 0; i < rows.size(); ++i) {
      const at::Tensor& result = call.results[i];
      const bool mixes = rows[i].eq(kTwoImages).any().item<bool>();
      if (mixes || (!OriginStore::HasMemory(result) &&
                    rows[i].ne(0).any().item<bool>())) {
        study_.mixing_operator = call.name();
        return;
      }
      if (OriginStore::HasMemory(result)) {
        origins_.Of(result).rows.copy_(rows[i]);
      }
    }
  }

  OriginStore origins_;
  OriginStudy study_;
};

}  // namespace

absl::StatusOr<OriginStudy> StudyOrigins(ProbedNetwork& network,
                                         const at::Tensor& images) {
  const at::NoGradGuard no_grad;
  OriginFollower follower;
  const at::Tensor input = network.ToDevice(images).contiguous();
  follower.NoteInput(input);
  const std::vector<int> slots = network.Marks();
  const auto recorder = c10::make_intrusive<ProbeRecorder>();
  recorder->slots.resize(slots.size());
  for (auto& slot : recorder->slots) {
    slot.mode = ProbeRecorder::Mode::kActivation;
  }
  c10::IValue output;
  RETURN_IF_ERROR(WatchOperators(
      [&](const OperatorCall& call) { return follower.Follow(call); },
      [&] { output = network.RunOnce(input, slots, recorder); }));
  ASSIGN_OR_RETURN(
      const at::Tensor raw,
      SelectOutput(output, network.output().index, network.output().key));
  OriginStudy study = follower.study();
  // What nobody saw being made (by an operator on another thread, say) is not
  // known to be anybody's.
  study.output_apart = follower.Knows(raw) && follower.RowsApart(raw);
  study.tensors.resize(network.marked().marks.size());
  for (size_t i = 0; i < slots.size(); ++i) {
    const at::Tensor& value = recorder->slots[i].value;
    if (!value.defined()) continue;
    study.tensors[slots[i]] = {.reached = true,
                               .rows_apart = follower.RowsApart(value),
                               .axes = follower.Axes(value)};
  }
  return study;
}

}  // namespace saliency
