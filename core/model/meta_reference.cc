#include "core/model/meta_reference.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/script.h>

#include <utility>

#include "absl/time/clock.h"
#include "core/base/status.h"
#include "core/model/meta_step.h"
#include "core/model/scores.h"
#include "core/model/single_rows.h"

namespace saliency {
namespace {

// theta as the start of an autograd graph.  The leaves are new tensors on the
// model's own memory, which is only read.
NetworkWeights AsLeaves(const MarkedGraph& marked, const NetworkWeights& theta,
                        std::vector<at::Tensor>& leaves) {
  NetworkWeights weights = theta;
  leaves.resize(theta.attributes.size());
  for (size_t i = 0; i < leaves.size(); ++i) {
    const int first = marked.parameter[i];
    if (first < 0 || !theta.attributes[i].toTensor().is_floating_point()) {
      continue;
    }
    if (first == static_cast<int>(i)) {
      leaves[i] = theta.attributes[i].toTensor().detach();
      leaves[i].set_requires_grad(true);
    }
    weights.attributes[i] = leaves[first];
  }
  return weights;
}

// theta' = theta - size * gradient, in the gradients' memory.
NetworkWeights Stepped(const MarkedGraph& marked, const NetworkWeights& theta,
                       const at::Tensor& loss,
                       const std::vector<at::Tensor>& leaves, double size) {
  std::vector<at::Tensor> wanted;
  for (const at::Tensor& leaf : leaves) {
    if (leaf.defined()) wanted.push_back(leaf);
  }
  std::vector<at::Tensor> gradients = torch::autograd::grad(
      {loss}, wanted, /*grad_outputs=*/{}, /*retain_graph=*/false,
      /*create_graph=*/false, /*allow_unused=*/true);
  const at::NoGradGuard no_grad;
  NetworkWeights stepped = theta;
  size_t next = 0;
  for (size_t i = 0; i < leaves.size(); ++i) {
    if (leaves[i].defined()) {
      at::Tensor gradient = std::move(gradients[next++]);
      // Undefined: the loss does not depend on it.  Expanded: several numbers
      // in one place, which cannot be written.
      if (gradient.defined()) {
        if (!gradient.is_non_overlapping_and_dense()) {
          gradient = gradient.clone();
        }
        stepped.attributes[i] =
            gradient.mul_(-size).add_(theta.attributes[i].toTensor());
      }
    }
    const int first = marked.parameter[i];
    if (first >= 0) stepped.attributes[i] = stepped.attributes[first];
  }
  return stepped;
}

absl::StatusOr<ProbeResult> ExplainRow(ProbedNetwork& network,
                                       const NetworkWeights& theta,
                                       const ProbeRequest& single,
                                       const std::vector<int>& slots,
                                       int fan_out) {
  const at::AutoGradMode with_grad(true);
  const absl::Time start = absl::Now();
  const ProbeRow& row = single.rows[0];
  std::vector<at::Tensor> leaves;
  const NetworkWeights with_gradients =
      AsLeaves(network.marked(), theta, leaves);
  ASSIGN_OR_RETURN(const at::Tensor logits,
                   network.Logits(single.input, with_gradients));
  const at::Tensor plain_logits = logits.detach().to(at::kCPU);
  ASSIGN_OR_RETURN(const int64_t explained,
                   ResolveTarget(row.target, plain_logits[0]));
  const absl::Time forward_done = absl::Now();
  const at::Tensor loss = MetaLosses(logits, {explained}, {row})[0];
  if (!loss.requires_grad()) {
    return absl::FailedPreconditionError(
        "no parameter of the model has an effect on its output");
  }
  const NetworkWeights stepped =
      Stepped(network.marked(), theta, loss, leaves, StepSize(*row.meta));
  const absl::Time step_done = absl::Now();

  ProbeRequest at_stepped = single;
  at_stepped.rows[0].target = ClassIndex{explained};
  ASSIGN_OR_RETURN(ProbeResult result,
                   network.Explain(at_stepped, slots, fan_out, &stepped));
  result.stepped_logits = std::exchange(result.logits, plain_logits);
  result.forward_time += forward_done - start;
  result.backward_time += step_done - forward_done;
  return result;
}

}  // namespace

NetworkWeights FloatWeights(const MarkedGraph& marked) {
  NetworkWeights weights = {marked.attributes, at::kFloat};
  for (size_t i = 0; i < weights.attributes.size(); ++i) {
    c10::IValue& attribute = weights.attributes[i];
    if (attribute.isTensor() && attribute.toTensor().is_floating_point()) {
      attribute = attribute.toTensor().to(at::kFloat);
    }
  }
  return weights;
}

absl::StatusOr<ProbeResult> ExplainByReference(ProbedNetwork& network,
                                               const ProbeRequest& request,
                                               const std::vector<int>& slots,
                                               int fan_out) {
  const NetworkWeights theta = FloatWeights(network.marked());
  return RunRowByRow(request, [&](const ProbeRequest& single) {
    return ExplainRow(network, theta, single, slots, fan_out);
  });
}

}  // namespace saliency
