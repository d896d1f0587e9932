#include "core/model/probed_network.h"

#include <torch/script.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "core/base/status.h"
#include "core/model/backward_pass.h"
#include "core/model/graph/gradient_reach.h"
#include "core/model/graph/graph_facts.h"
#include "core/model/image_rows.h"
#include "core/model/rules/apply_rule.h"
#include "core/model/scores.h"

namespace saliency {
namespace {

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

std::string Describe(const std::vector<int>& slots, int expand_rows,
                     const BackwardRule& rule) {
  return absl::StrCat(absl::StrJoin(slots, ","), "@", expand_rows, "/",
                      static_cast<int>(rule.kind));
}

bool WantsGradient(const ProbeRequest& request) {
  const std::vector<bool>& without = request.activation_only;
  return without.empty() ? !request.probes.empty()
                         : std::find(without.begin(), without.end(), false) !=
                               without.end();
}

c10::intrusive_ptr<ProbeRecorder> NewRecorder(const ProbeRequest& request,
                                              size_t slots, bool copy_values) {
  auto recorder = c10::make_intrusive<ProbeRecorder>();
  recorder->copy_values = copy_values;
  recorder->slots.resize(slots);
  for (size_t i = 0; i < slots; ++i) {
    const bool no_gradient =
        !request.activation_only.empty() && request.activation_only[i];
    recorder->slots[i].mode = no_gradient ? ProbeRecorder::Mode::kActivation
                                          : ProbeRecorder::Mode::kGradient;
  }
  return recorder;
}

// Of each slot whether what came by can be a record; one that cannot gets no
// gradient.
std::vector<absl::Status> CheckSlots(const ProbeRequest& request,
                                     int64_t entries, Slots& slots) {
  std::vector<absl::Status> recorded;
  for (size_t i = 0; i < slots.size(); ++i) {
    recorded.push_back(
        slots[i].value.defined()
            ? CheckEntries(request.probes[i].layer, slots[i].value, entries)
            : absl::OkStatus());
    if (!recorded.back().ok()) {
      slots[i].mode = ProbeRecorder::Mode::kActivation;
    }
  }
  return recorded;
}

// What came by slot `i`; its rows by `row_image` where that is defined.
ProbeResult::Record RecordOf(const ProbeRecorder::Slot& slot, size_t i,
                             const at::Tensor& row_image,
                             const std::string& gradient_end,
                             const BackwardPass& backward) {
  ProbeResult::Record record;
  record.activation = ToFloat(
      row_image.defined() ? slot.value.detach().index_select(0, row_image)
                          : slot.value);
  record.gradient = backward.Gradient(i);
  if (slot.mode != ProbeRecorder::Mode::kGradient) return record;
  if (!record.gradient.defined()) {
    record.gradient = at::zeros_like(record.activation);
  }
  record.no_gradient =
      WhyNoGradient(record.gradient, backward.Unreached(i), gradient_end);
  return record;
}

}  // namespace

ProbedNetwork::ProbedNetwork(MarkedGraph marked, c10::Device device,
                             at::ScalarType dtype, OutputSelector output,
                             const PixelRange& pixels)
    : marked_(std::move(marked)),
      device_(device),
      dtype_(dtype),
      output_(std::move(output)),
      rule_ground_{pixels, output_.index, output_.key},
      cuts_(FindCuts(marked_)),
      positions_(MarkPositions(marked_)),
      gradient_ends_(GradientEnds(marked_, output_.index, output_.key)) {}

c10::IValue ProbedNetwork::RuledPlan::Run(
    const at::Tensor& input, const std::vector<c10::IValue>& attributes,
    const c10::intrusive_ptr<ProbeRecorder>& recorder,
    const c10::intrusive_ptr<RuledRun>& ruled) const {
  if (!ruled) return plan->Run(input, attributes, recorder);
  return plan->Run(input, attributes, recorder,
                   {c10::IValue::make_capsule(ruled)});
}

c10::intrusive_ptr<RuledRun> ProbedNetwork::RuledPlan::NewRun() const {
  if (rules == nullptr) return {};
  return c10::make_intrusive<RuledRun>(rules);
}

std::string ProbedNetwork::RuleRefusal(const BackwardRule& rule) const {
  return WhyRuleRefused(rule, rule_ground_, marked_);
}

const ProbedNetwork::RuledPlan& ProbedNetwork::Plan(
    const std::vector<int>& slots, int expand_rows, const BackwardRule& rule) {
  return plans_.Get({slots, expand_rows, rule}, [&] {
    auto made = std::make_unique<RuledPlan>();
    ProbePlan::Rewrite rewrite;
    if (!rule.is_gradient()) {
      rewrite = [&](torch::jit::Graph& graph) {
        made->rules = ApplyRule(rule, rule_ground_, graph);
      };
    }
    made->plan =
        std::make_unique<ProbePlan>(marked_, slots, expand_rows, rewrite);
    return made;
  });
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
  const RuledPlan& plan = Plan(slots, expand_rows, request.rule);
  const c10::intrusive_ptr<RuledRun> ruled = plan.NewRun();
  std::vector<at::Tensor> reference;
  if (request.rule.has_reference()) {
    reference = RunReference(plan, request, dtype, attributes, ruled);
  }
  ASSIGN_OR_RETURN(ProbeResult result,
                   ExplainBy(
                       [&](const at::Tensor& input,
                           const c10::intrusive_ptr<ProbeRecorder>& recorder) {
                         return plan.Run(Upload(input, device_, dtype),
                                         attributes, recorder, ruled);
                       },
                       request, slots, expand_rows));
  for (size_t i = 0; i < reference.size(); ++i) {
    at::Tensor& activation = result.records[i].activation;
    const bool both = activation.defined() && reference[i].defined();
    if (both) activation = activation - reference[i];
  }
  return result;
}

std::vector<at::Tensor> ProbedNetwork::RunReference(
    const RuledPlan& plan, const ProbeRequest& request, at::ScalarType dtype,
    const std::vector<c10::IValue>& attributes,
    const c10::intrusive_ptr<RuledRun>& ruled) const {
  const at::NoGradGuard no_grad;
  at::Tensor image = at::zeros_like(request.input.slice(0, 0, 1));
  if (request.rule.reference == BackwardRule::Reference::kBlack) {
    for (int64_t channel = 0; channel < image.size(1); ++channel) {
      image[0][channel].fill_(rule_ground_.pixels.black[channel]);
    }
  }
  const auto recorder = c10::make_intrusive<ProbeRecorder>();
  recorder->copy_values = marked_.overwrites_tensors;
  recorder->slots.resize(request.probes.size());
  for (auto& slot : recorder->slots) {
    slot.mode = ProbeRecorder::Mode::kActivation;
  }
  ruled->mode = RuledRun::Mode::kNoteReference;
  plan.Run(Upload(image, device_, dtype), attributes, recorder, ruled);
  ruled->mode = RuledRun::Mode::kRules;
  std::vector<at::Tensor> activations;
  for (const auto& slot : recorder->slots) {
    activations.push_back(slot.value.defined() ? ToFloat(slot.value)
                                               : at::Tensor());
  }
  return activations;
}

absl::StatusOr<ProbeResult> ProbedNetwork::ExplainBy(
    const RunGraph& run, const ProbeRequest& request,
    const std::vector<int>& slots, int expand_rows) {
  const at::AutoGradMode with_grad(true);
  const bool expands = !RowsAreImages(request);
  // Without a gradient the rows of an image differ in nothing that runs.
  const bool chooses = expands && WantsGradient(request);
  const auto rows = static_cast<int64_t>(request.rows.size());
  const double targets =
      static_cast<double>(rows) / static_cast<double>(request.input.size(0));
  const std::string name = Describe(slots, expand_rows, request.rule);
  const ExpandRows how = chooses ? expand_rows_cost_.Choose(name, targets)
                                 : ExpandRows::kRetainGraph;
  const bool repeated = how == ExpandRows::kRepeatRows;
  const auto recorder =
      NewRecorder(request, slots.size(), marked_.overwrites_tensors);
  at::Tensor row_image;
  if (expands) row_image = ImageOfRow(request.rows, device_);
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
  const std::vector<absl::Status> recorded =
      CheckSlots(request, entries, recorder->slots);
  BackwardPass backward(request, logits.values, recorder->slots, repeated);
  RETURN_IF_ERROR(backward.ResolveClasses(
      logits_cpu, logits.one_output, output_.meaning.output_class, result));
  const absl::Time forward_done = absl::Now();
  backward.Run(result);

  for (size_t i = 0; i < slots.size(); ++i) {
    const ProbeRecorder::Slot& slot = recorder->slots[i];
    if (!recorded[i].ok()) {
      result.records.push_back({.status = recorded[i]});
    } else if (!slot.value.defined()) {
      result.records.push_back({.missed = std::vector<bool>(rows, true)});
    } else {
      result.records.push_back(RecordOf(slot, i,
                                        repeated ? at::Tensor() : row_image,
                                        gradient_ends_[slots[i]], backward));
    }
  }
  const absl::Time done = TimeWhenDone(device_);
  result.forward_time = forward_done - start;
  result.backward_time = done - forward_done;
  if (chooses) {
    expand_rows_cost_.Record(name, targets, how, rows,
                             done - recorder->expanded_at);
  }
  result.logits = repeated ? ImageLogits(request, logits_cpu) : logits_cpu;
  return result;
}

}  // namespace saliency
