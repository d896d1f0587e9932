#include "core/model/meta/meta_reference.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/script.h>

#include <utility>

#include "absl/time/clock.h"
#include "core/base/status.h"
#include "core/model/graph/nested_tensors.h"
#include "core/model/graph/parameter_views.h"
#include "core/model/meta/meta_step.h"
#include "core/model/meta/single_rows.h"
#include "core/model/scores.h"

namespace saliency {
namespace {

// theta - size * gradient by piece of memory.
std::vector<at::Tensor> StepPieces(const std::vector<at::Tensor>& pieces,
                                   const at::Tensor& loss, double size) {
  std::vector<at::Tensor> wanted;
  for (const at::Tensor& piece : pieces) {
    if (piece.defined()) wanted.push_back(piece);
  }
  std::vector<at::Tensor> gradients = torch::autograd::grad(
      {loss}, wanted, /*grad_outputs=*/{}, /*retain_graph=*/false,
      /*create_graph=*/false, /*allow_unused=*/true);
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> stepped;
  size_t next = 0;
  for (const at::Tensor& piece : pieces) {
    if (!piece.defined()) {
      stepped.emplace_back();
      continue;
    }
    // Not in the gradient's memory: autograd hands out several parameters'
    // gradients as views of one tensor, as those of a class token and of the
    // position embedding that is added to it.
    const at::Tensor gradient = std::move(gradients[next++]);
    // Undefined: the loss does not depend on it.
    stepped.push_back(gradient.defined()
                          ? at::sub(piece.detach(), gradient, /*alpha=*/size)
                          : piece.detach());
  }
  return stepped;
}

absl::StatusOr<ProbeResult> ExplainRow(ProbedNetwork& network,
                                       const NetworkWeights& theta,
                                       const ProbeRequest& single,
                                       const std::vector<int>& slots,
                                       int expand_rows) {
  ASSIGN_OR_RETURN(const ReferenceStep step,
                   StepByReference(network, theta, single));
  ProbeRequest at_stepped = single;
  at_stepped.rows[0].target = ClassIndex{step.class_index};
  ASSIGN_OR_RETURN(
      ProbeResult result,
      network.Explain(at_stepped, slots, expand_rows, &step.stepped));
  result.stepped_logits = std::exchange(result.logits, step.logits);
  result.forward_time += step.forward_time;
  result.backward_time += step.backward_time;
  return result;
}

}  // namespace

NetworkWeights FloatWeights(const MarkedGraph& marked) {
  NetworkWeights weights = {marked.attributes, at::kFloat};
  for (c10::IValue& attribute : weights.attributes) {
    attribute = MapTensors(attribute, [](const at::Tensor& tensor) {
      return tensor.is_floating_point() ? tensor.to(at::kFloat) : tensor;
    });
  }
  return weights;
}

absl::StatusOr<ReferenceStep> StepByReference(ProbedNetwork& network,
                                              const NetworkWeights& theta,
                                              const ProbeRequest& single) {
  const at::AutoGradMode with_grad(true);
  const absl::Time start = absl::Now();
  const ParameterViews& views = network.marked().views;
  const ProbeRow& row = single.rows[0];
  // New tensors on the model's own memory, which is only read.
  const std::vector<at::Tensor> pieces = ReadPieces(views, theta.attributes);
  for (const at::Tensor& piece : pieces) {
    if (piece.defined()) piece.set_requires_grad(true);
  }
  ASSIGN_OR_RETURN(
      const at::Tensor logits,
      network.Logits(single.input, {WithPieces(views, theta.attributes, pieces),
                                    theta.dtype}));
  ReferenceStep step;
  step.logits = logits.detach().to(at::kCPU);
  ASSIGN_OR_RETURN(step.class_index, ResolveTarget(row.target, step.logits[0]));
  const absl::Time forward_done = absl::Now();
  const at::Tensor loss = MetaLosses(logits, {step.class_index}, {row},
                                     network.output().meaning.probabilities)[0];
  if (!loss.requires_grad()) {
    return absl::FailedPreconditionError(
        "no parameter of the model has an effect on its output");
  }
  step.stepped = {WithPieces(views, theta.attributes,
                             StepPieces(pieces, loss, StepSize(*row.meta))),
                  theta.dtype};
  step.forward_time = forward_done - start;
  step.backward_time = TimeWhenDone(network.device()) - forward_done;
  return step;
}

absl::StatusOr<ProbeResult> ExplainByReference(ProbedNetwork& network,
                                               const ProbeRequest& request,
                                               const std::vector<int>& slots,
                                               int expand_rows) {
  const NetworkWeights theta = FloatWeights(network.marked());
  return RunRowByRow(request, [&](const ProbeRequest& single) {
    return ExplainRow(network, theta, single, slots, expand_rows);
  });
}

}  // namespace saliency
