#include "core/model/backward_pass.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/script.h>

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/model/scores.h"

namespace saliency {
namespace {

std::vector<BackwardRound> PlanRounds(const std::vector<ProbeRow>& rows,
                                      bool repeated) {
  std::vector<BackwardRound> rounds;
  std::map<int64_t, size_t> rows_so_far;  // by image
  for (size_t r = 0; r < rows.size(); ++r) {
    const size_t round = repeated ? 0 : rows_so_far[rows[r].image]++;
    if (round >= rounds.size()) rounds.resize(round + 1);
    rounds[round].rows.push_back(static_cast<int64_t>(r));
    rounds[round].entries.push_back(repeated ? static_cast<int64_t>(r)
                                             : rows[r].image);
  }
  return rounds;
}

// Puts a round's gradients [entries,K,H,W] at their rows; a probe that the
// score does not depend on has gradient zero, and is noted in `unreached`.
void StoreGradients(const std::vector<at::Tensor>& gradients,
                    const std::vector<size_t>& slot_of, const Slots& slots,
                    const BackwardRound& round, bool is_whole,
                    std::vector<std::vector<at::Tensor>>& by_row,
                    std::vector<std::vector<bool>>& unreached) {
  for (size_t i = 0; i < gradients.size(); ++i) {
    const at::Tensor& value = slots[slot_of[i]].value;
    for (const int64_t row : round.rows) {
      unreached[slot_of[i]][row] = !gradients[i].defined();
    }
    const at::Tensor gradient =
        gradients[i].defined() ? gradients[i] : at::zeros_like(value);
    if (is_whole) {
      by_row[slot_of[i]] = {gradient};
      continue;
    }
    for (size_t j = 0; j < round.rows.size(); ++j) {
      by_row[slot_of[i]][round.rows[j]] = gradient.select(0, round.entries[j]);
    }
  }
}

}  // namespace

at::Tensor ToFloat(const at::Tensor& tensor) {
  const at::Tensor value = tensor.detach();
  return (value.is_quantized() ? value.dequantize() : value).to(at::kFloat);
}

BackwardPass::BackwardPass(const ProbeRequest& request,
                           const at::Tensor& logits, const Slots& slots,
                           bool repeated)
    : request_(request),
      logits_(logits),
      slots_(slots),
      rounds_(PlanRounds(request.rows, repeated)),
      by_row_(slots.size(), std::vector<at::Tensor>(request.rows.size())),
      unreached_(slots.size(), std::vector<bool>(request.rows.size())) {
  for (size_t i = 0; i < slots.size(); ++i) {
    // A branch not taken leaves its probes without a value.
    const bool wanted = slots[i].mode == ProbeRecorder::Mode::kGradient &&
                        slots[i].value.defined();
    if (wanted && slots[i].value.requires_grad()) slot_of_.push_back(i);
    if (wanted) unreached_[i].assign(request.rows.size(), true);
  }
}

absl::Status BackwardPass::ResolveClasses(const at::Tensor& logits_cpu,
                                          bool one_output, int64_t output_class,
                                          ProbeResult& result) {
  result.class_index.resize(request_.rows.size());
  result.score.resize(request_.rows.size());
  for (const BackwardRound& round : rounds_) {
    for (size_t j = 0; j < round.rows.size(); ++j) {
      const ProbeRow& row = request_.rows[round.rows[j]];
      if (row.score == Score::kScalarOutput && !one_output) {
        return absl::InvalidArgumentError(
            absl::StrCat("score SCALAR_OUTPUT needs a model with one output; "
                         "this one has ",
                         logits_cpu.size(1)));
      }
      if (row.score == Score::kScalarOutput) {
        result.class_index[round.rows[j]] =
            logits_cpu.size(1) == 1 ? 0 : output_class;
        continue;
      }
      for (const ScoreTerm& term : row.others) {
        RETURN_IF_ERROR(
            ResolveTarget(ClassIndex{term.index}, logits_cpu[round.entries[j]])
                .status());
      }
      ASSIGN_OR_RETURN(result.class_index[round.rows[j]],
                       ResolveTarget(row.target, logits_cpu[round.entries[j]]));
    }
  }
  return absl::OkStatus();
}

void BackwardPass::Run(ProbeResult& result) {
  for (size_t i = 0; i < rounds_.size(); ++i) {
    RunRound(rounds_[i], i + 1 == rounds_.size(), result);
  }
}

at::Tensor BackwardPass::Gradient(size_t slot) const {
  const std::vector<at::Tensor>& parts = by_row_[slot];
  if (parts.empty() || !parts[0].defined()) return {};
  return ToFloat(parts.size() == 1 && IsWhole() ? parts[0] : at::stack(parts));
}

// One round holds every batch entry once, in order: no need to take it apart.
bool BackwardPass::IsWhole() const {
  if (rounds_.size() != 1) return false;
  const BackwardRound& round = rounds_[0];
  return round.rows == round.entries &&
         static_cast<int64_t>(round.rows.size()) == logits_.size(0);
}

at::Tensor BackwardPass::WithOthers(const BackwardRound& round,
                                    const at::Tensor& logits,
                                    const std::vector<Score>& kinds,
                                    const at::Tensor& scores) const {
  const bool any = std::any_of(
      round.rows.begin(), round.rows.end(),
      [&](int64_t row) { return !request_.rows[row].others.empty(); });
  if (!any) return scores;
  std::vector<at::Tensor> rows = scores.unbind();
  for (size_t j = 0; j < round.rows.size(); ++j) {
    const auto row = static_cast<int64_t>(j);
    for (const ScoreTerm& term : request_.rows[round.rows[j]].others) {
      const at::Tensor one =
          RowScores(logits.narrow(0, row, 1), {&term.index, 1}, {&kinds[j], 1});
      rows[j] = rows[j] + term.weight * one[0];
    }
  }
  return at::stack(rows);
}

void BackwardPass::RunRound(const BackwardRound& round, bool is_last,
                            ProbeResult& result) {
  std::vector<int64_t> classes;
  std::vector<Score> kinds;
  for (const int64_t row : round.rows) {
    classes.push_back(result.class_index[row]);
    kinds.push_back(request_.rows[row].score);
  }
  const at::Tensor chosen =
      IsWhole()
          ? logits_
          : logits_.index_select(
                0, at::tensor(round.entries, at::kLong).to(logits_.device()));
  const at::Tensor scores =
      WithOthers(round, chosen, kinds, RowScores(chosen, classes, kinds));
  const at::Tensor scores_cpu = scores.detach().to(at::kCPU, at::kFloat);
  for (size_t j = 0; j < round.rows.size(); ++j) {
    result.score[round.rows[j]] =
        scores_cpu[static_cast<int64_t>(j)].item<float>();
  }
  if (slot_of_.empty()) return;
  StoreGradients(Gradients(scores.sum(), is_last), slot_of_, slots_, round,
                 IsWhole(), by_row_, unreached_);
}

std::vector<at::Tensor> BackwardPass::Gradients(const at::Tensor& total,
                                                bool is_last) {
  std::vector<at::Tensor> probes;
  for (const size_t slot : slot_of_) probes.push_back(slots_[slot].value);
  if (!total.requires_grad()) return std::vector<at::Tensor>(probes.size());
  return torch::autograd::grad({total}, probes, /*grad_outputs=*/{},
                               /*retain_graph=*/!is_last,
                               /*create_graph=*/false,
                               /*allow_unused=*/true);
}

}  // namespace saliency
