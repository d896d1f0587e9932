#include "core/model/meta/meta_fast.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/script.h>

#include <utility>

#include "absl/time/clock.h"
#include "core/base/status.h"
#include "core/model/device.h"
#include "core/model/image_rows.h"
#include "core/model/meta/meta_ops.h"
#include "core/model/meta/meta_reference.h"
#include "core/model/meta/meta_step.h"
#include "core/model/scores.h"
#include "core/model/torch_status.h"

namespace saliency {
namespace {

// One image for each row, on the device.
at::Tensor RepeatIntoRows(const ProbeRequest& request, c10::Device device) {
  const at::Tensor input = Upload(request.input, device, at::kFloat);
  return (RowsAreImages(request)
              ? input
              : input.index_select(0, ImageOfRow(request.rows, device)))
      .contiguous(at::MemoryFormat::ChannelsLast);
}

}  // namespace

// A graph in stages, and what its stages are.
struct MetaFastPath::Plan {
  std::vector<FusedOp> stages;
  std::unique_ptr<ProbePlan> graph;
};

// A request on its way through both passes.
struct MetaFastPath::Rows {
  at::Tensor input;  // [R,C,H,W] on the device
  c10::intrusive_ptr<MetaRun> run = c10::make_intrusive<MetaRun>();
  at::Tensor logits;  // [R,C] on the CPU, at theta
  std::vector<int64_t> classes;
  absl::Duration forward_time, backward_time;
};

MetaFastPath::MetaFastPath(ProbedNetwork& network, ParameterizedOps sites)
    : network_(network),
      sites_(std::move(sites)),
      record_plan_(MakePlan(/*slots=*/{})),
      plans_(/*capacity=*/32) {}

MetaFastPath::~MetaFastPath() = default;

absl::StatusOr<std::unique_ptr<MetaFastPath>> MetaFastPath::Create(
    ProbedNetwork& network, const at::Tensor& two_images) {
  std::optional<ParameterizedOps> sites = FindMetaSites(network.marked());
  if (!sites || sites->sites.empty()) return nullptr;
  RegisterMetaOps();
  std::unique_ptr<MetaFastPath> path;
  const absl::Status status = CatchTorch(
      absl::StatusCode::kInvalidArgument, "the meta step's first pass", [&] {
        path.reset(new MetaFastPath(network, *std::move(sites)));
        const bool fits =
            path->Fits(two_images.slice(0, 0, 1)) && path->Fits(two_images);
        if (!fits) path.reset();
        return absl::OkStatus();
      });
  if (absl::IsUnavailable(status)) return status;
  if (!status.ok() || path == nullptr) return nullptr;
  // Many models never get a meta request: hold no memory for it yet.
  path->weights_.clear();
  path->theta_.attributes.clear();
  return path;
}

std::unique_ptr<MetaFastPath::Plan> MetaFastPath::MakePlan(
    const std::vector<int>& slots) const {
  auto plan = std::make_unique<Plan>();
  plan->graph = std::make_unique<ProbePlan>(
      network_.marked(), slots, /*expand_rows=*/-1,
      [&](torch::jit::Graph& graph) {
        plan->stages = RewriteIntoStages(graph, sites_);
      });
  return plan;
}

void MetaFastPath::PrepareWeights() {
  if (!weights_.empty()) return;
  theta_ = FloatWeights(network_.marked());
  weights_ = ReadSiteWeights(network_.marked(), sites_, theta_.attributes);
}

c10::IValue MetaFastPath::RunPlan(
    const Plan& plan, const at::Tensor& input,
    const c10::intrusive_ptr<ProbeRecorder>& recorder,
    const c10::intrusive_ptr<MetaRun>& run) const {
  run->weights = &weights_;
  run->stages = &plan.stages;
  return plan.graph->Run(input, theta_.attributes, recorder,
                         {c10::IValue::make_capsule(run)});
}

bool MetaFastPath::Fits(const at::Tensor& images) {
  const at::NoGradGuard no_grad;
  PrepareWeights();
  const auto run = c10::make_intrusive<MetaRun>();
  run->sizes.resize(images.size(0));
  run->steps.resize(weights_.size());
  RunPlan(*record_plan_,
          Upload(images, network_.device(), at::kFloat)
              .contiguous(at::MemoryFormat::ChannelsLast),
          c10::make_intrusive<ProbeRecorder>(), run);
  return !run->is_unfit;
}

absl::Status MetaFastPath::Record(const ProbeRequest& request, Rows& rows) {
  const at::AutoGradMode with_grad(true);
  MetaRun& run = *rows.run;
  for (const ProbeRow& row : request.rows) {
    run.sizes.push_back(StepSize(*row.meta));
  }
  run.size_column =
      at::tensor(run.sizes, at::kFloat).to(network_.device()).unsqueeze(1);
  run.anchor = at::zeros({1}, run.size_column.options());
  run.anchor.set_requires_grad(true);
  run.steps.resize(weights_.size());

  const absl::Time start = absl::Now();
  const c10::IValue output =
      RunPlan(*record_plan_, rows.input, c10::make_intrusive<ProbeRecorder>(),
              rows.run);
  if (run.is_unfit) return absl::OkStatus();
  ASSIGN_OR_RETURN(const ClassLogits logits,
                   network_.ReadLogits(output, rows.input.size(0)));
  rows.logits = logits.values.detach().to(at::kCPU);
  for (size_t r = 0; r < request.rows.size(); ++r) {
    ASSIGN_OR_RETURN(const int64_t explained,
                     ResolveTarget(request.rows[r].target,
                                   rows.logits[static_cast<int64_t>(r)]));
    rows.classes.push_back(explained);
  }
  const absl::Time forward_done = absl::Now();
  const at::Tensor losses =
      MetaLosses(logits.values, rows.classes, request.rows,
                 network_.output().meaning.probabilities);
  if (!losses.requires_grad()) {
    return absl::FailedPreconditionError(
        "no parameter of the model has an effect on its output");
  }
  torch::autograd::grad({losses.sum()}, {run.anchor}, /*grad_outputs=*/{},
                        /*retain_graph=*/false, /*create_graph=*/false,
                        /*allow_unused=*/true);
  rows.forward_time = forward_done - start;
  rows.backward_time = TimeWhenDone(network_.device()) - forward_done;
  return absl::OkStatus();
}

absl::StatusOr<c10::intrusive_ptr<MetaRun>> MetaFastPath::TakeSteps(
    const ProbeRequest& request) {
  PrepareWeights();
  Rows rows;
  rows.input = RepeatIntoRows(request, network_.device());
  RETURN_IF_ERROR(Record(request, rows));
  if (rows.run->is_unfit) return c10::intrusive_ptr<MetaRun>();
  return rows.run;
}

absl::StatusOr<std::optional<ProbeResult>> MetaFastPath::Explain(
    const ProbeRequest& request, const std::vector<int>& slots) {
  PrepareWeights();
  Rows rows;
  rows.input = RepeatIntoRows(request, network_.device());
  RETURN_IF_ERROR(Record(request, rows));
  if (rows.run->is_unfit) return std::nullopt;

  ProbeRequest stepped = {rows.input, request.rows, request.probes,
                          request.activation_only};
  for (size_t r = 0; r < stepped.rows.size(); ++r) {
    stepped.rows[r].image = static_cast<int64_t>(r);
    stepped.rows[r].target = ClassIndex{rows.classes[r]};
  }
  rows.run->phase = MetaRun::Phase::kStepped;
  const Plan& plan = plans_.Get(slots, [&] { return MakePlan(slots); });
  ASSIGN_OR_RETURN(ProbeResult result,
                   network_.ExplainBy(
                       [&](const at::Tensor& input,
                           const c10::intrusive_ptr<ProbeRecorder>& recorder) {
                         return RunPlan(plan, input, recorder, rows.run);
                       },
                       stepped, slots, /*expand_rows=*/-1));
  if (rows.run->is_unfit) return std::nullopt;
  result.stepped_logits =
      std::exchange(result.logits, ImageLogits(request, rows.logits));
  result.forward_time += rows.forward_time;
  result.backward_time += rows.backward_time;
  return result;
}

}  // namespace saliency
