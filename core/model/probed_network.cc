#include "core/model/probed_network.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/script.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "core/base/status.h"
#include "core/model/graph/gradient_reach.h"
#include "core/model/graph/graph_facts.h"
#include "core/model/scores.h"

namespace saliency {
namespace {

// Executable graphs kept; the probe sets are the callers' choice.
constexpr size_t kMaxPlans = 64;

using Slots = std::vector<ProbeRecorder::Slot>;

// Which rows go backward together.  With repeated rows that is all of them, and
// batch entry r is row r; on a retained graph each round takes one row of each
// image, and a row's batch entry is its image.
struct Round {
  std::vector<int64_t> rows;
  std::vector<int64_t> entries;  // of the batch, per row
};

std::vector<Round> PlanRounds(const std::vector<ProbeRow>& rows,
                              bool repeated) {
  std::vector<Round> rounds;
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

bool RowsAreImages(const ProbeRequest& request) {
  if (request.input.size(0) != static_cast<int64_t>(request.rows.size())) {
    return false;
  }
  for (size_t r = 0; r < request.rows.size(); ++r) {
    if (request.rows[r].image != static_cast<int64_t>(r)) return false;
  }
  return true;
}

at::Tensor ImageOfRow(const std::vector<ProbeRow>& rows, c10::Device device) {
  std::vector<int64_t> images;
  for (const ProbeRow& row : rows) images.push_back(row.image);
  return at::tensor(images, at::kLong).to(device);
}

// Puts a round's gradients [entries,K,H,W] at their rows; a probe that the
// score does not depend on has gradient zero, and is noted in `unreached`.
void StoreGradients(const std::vector<at::Tensor>& gradients,
                    const std::vector<size_t>& slot_of, const Slots& slots,
                    const Round& round, bool is_whole,
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

at::Tensor ToFloat(const at::Tensor& tensor) {
  const at::Tensor value = tensor.detach();
  return (value.is_quantized() ? value.dequantize() : value).to(at::kFloat);
}

// Rows are told apart by the first axis: a tensor that has another number of
// entries there (tiles or frames, at this size of input) is not recorded.
absl::Status CheckEntries(const std::string& layer, const at::Tensor& value,
                          int64_t entries) {
  if (value.dim() > 0 && value.size(0) == entries) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "layer \"", layer, "\" has shape [", absl::StrJoin(value.sizes(), ","),
      "] in a pass of ", entries,
      " rows: it has not one entry for each row at this size of input"));
}

// One forward's result on its way to the rows' gradients.
class BackwardPass {
 public:
  BackwardPass(const ProbeRequest& request, const at::Tensor& logits,
               const Slots& slots, bool repeated)
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

  // Resolves every row's class from the logits of this very pass.
  // `output_class` is what a single output itself is the score of.
  absl::Status ResolveClasses(const at::Tensor& logits_cpu, bool one_output,
                              int64_t output_class, ProbeResult& result) {
    result.class_index.resize(request_.rows.size());
    result.score.resize(request_.rows.size());
    for (const Round& round : rounds_) {
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
        ASSIGN_OR_RETURN(
            result.class_index[round.rows[j]],
            ResolveTarget(row.target, logits_cpu[round.entries[j]]));
      }
    }
    return absl::OkStatus();
  }

  void Run(ProbeResult& result) {
    for (size_t i = 0; i < rounds_.size(); ++i) {
      RunRound(rounds_[i], i + 1 == rounds_.size(), result);
    }
  }

  // [R,K,H,W] float32.
  at::Tensor Gradient(size_t slot) const {
    const std::vector<at::Tensor>& parts = by_row_[slot];
    if (parts.empty() || !parts[0].defined()) return {};
    return ToFloat(parts.size() == 1 && IsWhole() ? parts[0]
                                                  : at::stack(parts));
  }

  // By row: whether autograd found no way from its score to the slot.
  const std::vector<bool>& Unreached(size_t slot) const {
    return unreached_[slot];
  }

 private:
  // One round holds every batch entry once, in order: no need to take it apart.
  bool IsWhole() const {
    if (rounds_.size() != 1) return false;
    const Round& round = rounds_[0];
    return round.rows == round.entries &&
           static_cast<int64_t>(round.rows.size()) == logits_.size(0);
  }

  void RunRound(const Round& round, bool is_last, ProbeResult& result) {
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
    const at::Tensor scores = RowScores(chosen, classes, kinds);
    const at::Tensor scores_cpu = scores.detach().to(at::kCPU, at::kFloat);
    for (size_t j = 0; j < round.rows.size(); ++j) {
      result.score[round.rows[j]] =
          scores_cpu[static_cast<int64_t>(j)].item<float>();
    }
    if (slot_of_.empty()) return;
    StoreGradients(Gradients(scores.sum(), is_last), slot_of_, slots_, round,
                   IsWhole(), by_row_, unreached_);
  }

  std::vector<at::Tensor> Gradients(const at::Tensor& total, bool is_last) {
    std::vector<at::Tensor> probes;
    for (const size_t slot : slot_of_) probes.push_back(slots_[slot].value);
    if (!total.requires_grad()) return std::vector<at::Tensor>(probes.size());
    return torch::autograd::grad({total}, probes, /*grad_outputs=*/{},
                                 /*retain_graph=*/!is_last,
                                 /*create_graph=*/false,
                                 /*allow_unused=*/true);
  }

  const ProbeRequest& request_;
  const at::Tensor logits_;  // [entries,C]
  const Slots& slots_;
  const std::vector<Round> rounds_;
  std::vector<size_t> slot_of_;  // the slots that want gradients
  // By slot: one tensor of all rows, or one [K,H,W] a row.
  std::vector<std::vector<at::Tensor>> by_row_;
  std::vector<std::vector<bool>> unreached_;
};

// By row, why the gradient [R,K,H,W] of a layer is zero; empty when it is not.
// `why` is what the graph tells of the layer, whose gradient is then looked at:
// what has a derivative of zero (round) is a way that autograd takes.
std::vector<std::string> WhyNoGradient(const at::Tensor& gradient,
                                       const std::vector<bool>& unreached,
                                       const std::string& why) {
  std::vector<std::string> reasons(unreached.size());
  bool any = false;
  for (size_t r = 0; r < unreached.size(); ++r) {
    const bool is_zero =
        unreached[r] ||
        (!why.empty() && !gradient[static_cast<int64_t>(r)].any().item<bool>());
    if (!is_zero) continue;
    reasons[r] =
        why.empty() ? "what the model does behind it has no derivative" : why;
    any = true;
  }
  if (!any) reasons.clear();
  return reasons;
}

// [N,C]: the logits of each image's first row; every image has one.
at::Tensor ImageLogits(const at::Tensor& row_logits,
                       const ProbeRequest& request) {
  std::vector<int64_t> first(request.input.size(0), -1);
  for (size_t r = request.rows.size(); r-- > 0;) {
    first[request.rows[r].image] = static_cast<int64_t>(r);
  }
  return row_logits.index_select(0, at::tensor(first, at::kLong));
}

std::string Describe(const std::vector<int>& slots, int expand_rows) {
  return absl::StrCat(absl::StrJoin(slots, ","), "@", expand_rows);
}

}  // namespace

ProbedNetwork::ProbedNetwork(MarkedGraph marked, c10::Device device,
                             at::ScalarType dtype, OutputSelector output)
    : marked_(std::move(marked)),
      device_(device),
      dtype_(dtype),
      output_(std::move(output)),
      cuts_(FindCuts(marked_)),
      positions_(MarkPositions(marked_)),
      gradient_ends_(GradientEnds(marked_, output_.index, output_.key)) {}

const ProbePlan& ProbedNetwork::Plan(const std::vector<int>& slots,
                                     int expand_rows) {
  const auto key = std::make_pair(slots, expand_rows);
  auto found = plans_.find(key);
  if (found == plans_.end()) {
    if (plans_.size() >= kMaxPlans) {
      plans_.erase(std::min_element(
          plans_.begin(), plans_.end(), [](const auto& a, const auto& b) {
            return a.second.last_used < b.second.last_used;
          }));
    }
    found = plans_
                .emplace(key, CachedPlan{std::make_unique<ProbePlan>(
                                  marked_, slots, expand_rows)})
                .first;
  }
  found->second.last_used = ++plan_uses_;
  return *found->second.plan;
}

std::vector<int> ProbedNetwork::Marks() const {
  std::vector<int> marks;
  for (size_t id = 0; id < marked_.marks.size(); ++id) {
    if (positions_[id] >= 0) marks.push_back(static_cast<int>(id));
  }
  return marks;
}

at::Tensor ProbedNetwork::ToDevice(const at::Tensor& images) const {
  return Upload(images, device_, dtype_);
}

c10::IValue ProbedNetwork::RunOnce(
    const at::Tensor& input, const std::vector<int>& slots,
    const c10::intrusive_ptr<ProbeRecorder>& recorder) {
  const at::NoGradGuard no_grad;
  return Plan(slots, /*expand_rows=*/-1)
      .Run(ToDevice(input), marked_.attributes, recorder);
}

absl::StatusOr<ProbedNetwork::Survey> ProbedNetwork::SurveyMarks(
    const at::Tensor& input) {
  const at::NoGradGuard no_grad;
  const std::vector<int> slots = Marks();
  const auto recorder = c10::make_intrusive<ProbeRecorder>();
  recorder->slots.resize(slots.size());
  for (auto& slot : recorder->slots) slot.mode = ProbeRecorder::Mode::kDigest;
  const c10::IValue output = RunOnce(input, slots, recorder);
  ASSIGN_OR_RETURN(const ClassLogits logits, ReadLogits(output, input.size(0)));
  Survey survey = {.logits = logits.values.cpu()};
  survey.sizes.resize(marked_.marks.size());
  survey.digests.resize(marked_.marks.size());
  survey.holds_whole_numbers.resize(marked_.marks.size());
  for (size_t i = 0; i < slots.size(); ++i) {
    const ProbeRecorder::Slot& slot = recorder->slots[i];
    survey.sizes[slots[i]] = slot.sizes;
    survey.holds_whole_numbers[slots[i]] = slot.holds_whole_numbers;
    if (slot.digest.defined()) survey.digests[slots[i]] = slot.digest.cpu();
  }
  return survey;
}

absl::StatusOr<ModelOutput> ProbedNetwork::DescribeTaken(
    const at::Tensor& input) {
  const at::NoGradGuard no_grad;
  const c10::IValue output =
      Plan({}, /*expand_rows=*/-1)
          .Run(Upload(input, device_, dtype_), marked_.attributes,
               c10::make_intrusive<ProbeRecorder>());
  RETURN_IF_ERROR(SelectOutput(output, output_.index, output_.key).status());
  return DescribeOutput(output, output_.index, output_.key);
}

absl::StatusOr<at::Tensor> ProbedNetwork::Output(const at::Tensor& input) {
  const at::NoGradGuard no_grad;
  const c10::IValue output =
      Plan({}, /*expand_rows=*/-1)
          .Run(Upload(input, device_, dtype_), marked_.attributes,
               c10::make_intrusive<ProbeRecorder>());
  ASSIGN_OR_RETURN(const at::Tensor raw,
                   SelectOutput(output, output_.index, output_.key));
  return WithImageAxis(raw, input.size(0));
}

absl::StatusOr<at::Tensor> ProbedNetwork::Forward(const at::Tensor& input,
                                                  int expand_rows,
                                                  int64_t repeats) {
  const at::NoGradGuard no_grad;
  const auto recorder = c10::make_intrusive<ProbeRecorder>();
  if (repeats > 1) {
    recorder->row_image = at::arange(input.size(0), at::kLong)
                              .repeat_interleave(repeats)
                              .to(device_);
  }
  const c10::IValue output =
      Plan({}, expand_rows)
          .Run(Upload(input, device_, dtype_), marked_.attributes, recorder);
  ASSIGN_OR_RETURN(const ClassLogits logits,
                   ReadLogits(output, input.size(0) * repeats));
  return logits.values;
}

absl::StatusOr<at::Tensor> ProbedNetwork::Logits(
    const at::Tensor& input, const NetworkWeights& weights) {
  const at::AutoGradMode with_grad(true);
  const c10::IValue output =
      Plan({}, /*expand_rows=*/-1)
          .Run(Upload(input, device_, weights.dtype), weights.attributes,
               c10::make_intrusive<ProbeRecorder>());
  ASSIGN_OR_RETURN(const ClassLogits logits, ReadLogits(output, input.size(0)));
  return logits.values;
}

absl::StatusOr<ClassLogits> ProbedNetwork::ReadLogits(const c10::IValue& output,
                                                      int64_t images) const {
  ASSIGN_OR_RETURN(const at::Tensor raw,
                   SelectOutput(output, output_.index, output_.key));
  ASSIGN_OR_RETURN(const at::Tensor pooled,
                   PoolLogits(WithImageAxis(raw, images)));
  return ClassLogits{.values = ClassOutputs(pooled, output_.meaning),
                     .one_output = pooled.size(1) == 1};
}

absl::StatusOr<ProbeResult> ProbedNetwork::Explain(
    const ProbeRequest& request, const std::vector<int>& slots, int expand_rows,
    const NetworkWeights* weights) {
  const at::ScalarType dtype = weights != nullptr ? weights->dtype : dtype_;
  const std::vector<c10::IValue>& attributes =
      weights != nullptr ? weights->attributes : marked_.attributes;
  return ExplainBy(
      [&](const at::Tensor& input,
          const c10::intrusive_ptr<ProbeRecorder>& recorder) {
        return Plan(slots, expand_rows)
            .Run(Upload(input, device_, dtype), attributes, recorder);
      },
      request, slots, expand_rows);
}

absl::StatusOr<ProbeResult> ProbedNetwork::ExplainBy(
    const RunGraph& run, const ProbeRequest& request,
    const std::vector<int>& slots, int expand_rows) {
  const at::AutoGradMode with_grad(true);
  const bool fans_out = !RowsAreImages(request);
  const auto rows = static_cast<int64_t>(request.rows.size());
  const double targets =
      static_cast<double>(rows) / static_cast<double>(request.input.size(0));
  const std::string name = Describe(slots, expand_rows);
  const ExpandRows how = fans_out ? expand_rows_cost_.Choose(name, targets)
                                  : ExpandRows::kRetainGraph;
  const bool repeated = how == ExpandRows::kRepeatRows;

  const auto recorder = c10::make_intrusive<ProbeRecorder>();
  recorder->copy_values = marked_.overwrites_tensors;
  recorder->slots.resize(slots.size());
  for (size_t i = 0; i < slots.size(); ++i) {
    const bool no_gradient =
        !request.activation_only.empty() && request.activation_only[i];
    recorder->slots[i].mode = no_gradient ? ProbeRecorder::Mode::kActivation
                                          : ProbeRecorder::Mode::kGradient;
  }
  at::Tensor row_image;
  if (fans_out) row_image = ImageOfRow(request.rows, device_);
  if (repeated) recorder->row_image = row_image;

  ProbeResult result;
  const absl::Time start = absl::Now();
  const c10::IValue output = run(request.input, recorder);
  const int64_t entries = repeated ? rows : request.input.size(0);
  ASSIGN_OR_RETURN(const ClassLogits logits, ReadLogits(output, entries));
  const at::Tensor logits_cpu = logits.values.detach().to(at::kCPU);
  if (logits_cpu.size(0) != entries) {
    return absl::InvalidArgumentError(
        absl::StrCat("the model returned ", logits_cpu.size(0),
                     " rows of logits for ", entries));
  }
  std::vector<absl::Status> recorded;
  for (size_t i = 0; i < slots.size(); ++i) {
    ProbeRecorder::Slot& slot = recorder->slots[i];
    recorded.push_back(
        slot.value.defined()
            ? CheckEntries(request.probes[i].layer, slot.value, entries)
            : absl::OkStatus());
    if (!recorded.back().ok()) slot.mode = ProbeRecorder::Mode::kActivation;
  }
  BackwardPass backward(request, logits.values, recorder->slots, repeated);
  RETURN_IF_ERROR(backward.ResolveClasses(
      logits_cpu, logits.one_output, output_.meaning.output_class, result));
  const absl::Time forward_done = absl::Now();
  backward.Run(result);

  for (size_t i = 0; i < slots.size(); ++i) {
    if (!recorded[i].ok()) {
      result.records.push_back({.status = recorded[i]});
      continue;
    }
    const at::Tensor& value = recorder->slots[i].value;
    if (!value.defined()) {
      result.records.push_back(
          {.missed = std::vector<bool>(request.rows.size(), true)});
      continue;
    }
    const bool share = fans_out && !repeated;
    ProbeResult::Record& record = result.records.emplace_back();
    record.activation =
        ToFloat(share ? value.detach().index_select(0, row_image) : value);
    record.gradient = backward.Gradient(i);
    if (recorder->slots[i].mode != ProbeRecorder::Mode::kGradient) continue;
    if (!record.gradient.defined()) {
      record.gradient = at::zeros_like(record.activation);
    }
    record.no_gradient = WhyNoGradient(record.gradient, backward.Unreached(i),
                                       gradient_ends_[slots[i]]);
  }
  const absl::Time done = TimeWhenDone(device_);
  result.forward_time = forward_done - start;
  result.backward_time = done - forward_done;
  if (fans_out) {
    expand_rows_cost_.Record(name, targets, how, rows,
                             done - recorder->fanned_out_at);
  }
  result.logits = repeated ? ImageLogits(logits_cpu, request) : logits_cpu;
  return result;
}

}  // namespace saliency
