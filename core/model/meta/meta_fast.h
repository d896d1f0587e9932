// Meta steps for batches without a copy of the parameters: pass 1 gathers what
// each row's step needs, pass 2 runs the network with every parameterised
// operator at its row's theta' (meta_run.h, stepped_conv.h).  Exact: another
// order of the same sums as the reference path.
//
// Cost of a row: two forwards, one backward to the first layer without
// parameter gradients, for wide convolutions a weight gradient, and what the
// probes ask for.  Memory beyond activations: weights of the convolutions
// larger than 1x1 in another order, kept from the first use on; for each row
// the explicit weights of stepped_conv.h, each less than the activations that
// it replaces.
//
// Internal to the model room.  Thread-compatible.
//
// Source: Rebuffi, Fong, Ji, Vedaldi, CVPR 2020, arXiv:2004.02866, sec. 4.4.

#ifndef SALIENCY_CORE_MODEL_META_META_FAST_H_
#define SALIENCY_CORE_MODEL_META_META_FAST_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "core/model/meta/meta_run.h"
#include "core/model/plan_cache.h"
#include "core/model/probe.h"
#include "core/model/probed_network.h"

namespace saliency {

class MetaFastPath {
 public:
  // Null when the network has a parameter that is not in ParameterizedOps, or
  // when a pass over one and two of these images shows rows that are not along
  // the first axis, or does not fit the device's memory.  `network` must
  // outlive the path. Errors: UNAVAILABLE the device was lost.
  static absl::StatusOr<std::unique_ptr<MetaFastPath>> Create(
      ProbedNetwork& network, const at::Tensor& two_images);
  ~MetaFastPath();

  const ParameterizedOps& sites() const { return sites_; }

  // Pass 1 alone: the step of each row by site; null when Explain would return
  // nullopt.
  // REQUIRES: every row has a meta step.
  absl::StatusOr<c10::intrusive_ptr<MetaRun>> TakeSteps(
      const ProbeRequest& request);

  // Takes the step of each row and explains it at theta'; nullopt when this
  // input brings tensors that the stages do not know how to treat: use the
  // reference path.  `slots` as in ProbedNetwork::Explain.
  // Throws what LibTorch throws.
  // REQUIRES: every row has a meta step.
  absl::StatusOr<std::optional<ProbeResult>> Explain(
      const ProbeRequest& request, const std::vector<int>& slots);

 private:
  struct Plan;
  struct Rows;

  MetaFastPath(ProbedNetwork& network, ParameterizedOps sites);

  bool Fits(const at::Tensor& images);
  void PrepareWeights();
  std::unique_ptr<Plan> MakePlan(const std::vector<int>& slots) const;
  c10::IValue RunPlan(const Plan& plan, const at::Tensor& input,
                      const c10::intrusive_ptr<ProbeRecorder>& recorder,
                      const c10::intrusive_ptr<MetaRun>& run) const;
  // Pass 1.  Fills `run`'s steps.
  absl::Status Record(const ProbeRequest& request, Rows& rows);

  ProbedNetwork& network_;
  const ParameterizedOps sites_;
  const std::unique_ptr<Plan> record_plan_;

  // Made at first use.
  NetworkWeights theta_;
  std::vector<SiteWeights> weights_;
  PlanCache<std::vector<int>, Plan> plans_;  // by probes
};

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_META_META_FAST_H_
