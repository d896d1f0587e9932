#include "core/engine/run/aggregate_pass.h"

#include <ATen/ATen.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "core/attribution/method.h"
#include "core/base/status.h"
#include "core/engine/inputs_rule.h"

namespace saliency {
namespace {

bool IsAll(const std::vector<int64_t>& rows, int64_t count) {
  if (static_cast<int64_t>(rows.size()) != count) return false;
  for (int64_t i = 0; i < count; ++i) {
    if (rows[i] != i) return false;  // a row asked twice for the same map
  }
  return true;
}

// The rows of a group out of a tensor of all rows of the pass.
at::Tensor Pick(const at::Tensor& all, const std::vector<int64_t>& rows) {
  if (!all.defined()) return all;
  if (IsAll(rows, all.size(0))) return all;
  const at::Tensor index =
      at::tensor(rows, at::kLong).to(all.device(), /*non_blocking=*/true);
  return all.index_select(0, index);
}

at::Tensor ActivationOf(const MapGroup& group,
                        const ProbeResult::Record& record) {
  if (group.activations.empty()) return Pick(record.activation, group.rows);
  return at::cat(group.activations).to(record.activation.device());
}

MethodContext ContextOf(const MapGroup& group, const ProbeResult& result,
                        const ProbedModel& model) {
  std::vector<int64_t> classes;
  std::vector<float> scores;
  for (const int64_t row : group.rows) {
    classes.push_back(result.class_index[row]);
    scores.push_back(result.score[row]);
  }
  RecordedLayer layer = {.class_index = classes, .others = group.others};
  if (!group.regions.empty()) {
    layer.score = at::tensor(scores);
    layer.region = at::cat(group.regions);
  }
  if (group.main_probe >= 0) {
    const ProbeResult::Record& record = result.records[group.main_probe];
    layer.activation = ActivationOf(group, record);
    layer.gradient = Pick(record.gradient, group.rows);
  }
  if (group.input_probe >= 0) {
    layer.input =
        Pick(result.records[group.input_probe].activation, group.rows);
  }
  return RuleOf(group.attribution.method_inputs())
      .make(layer, **model.FindLayer(group.layer), model);
}

// Of the layer, and of its input where that is needed.
absl::Status CheckRecorded(const MapGroup& group, const ProbeResult& result) {
  if (group.main_probe < 0) return absl::OkStatus();
  RETURN_IF_ERROR(result.records[group.main_probe].status);
  if (group.input_probe < 0) return absl::OkStatus();
  return result.records[group.input_probe].status;
}

// One copy for all: many small ones would each wait for the device.
// REQUIRES: there is one.
at::Tensor ToCpu(const std::vector<at::Tensor>& parts) {
  std::vector<at::Tensor> flat;
  flat.reserve(parts.size());
  for (const at::Tensor& part : parts) flat.push_back(part.reshape(-1));
  at::Tensor all = at::cat(flat);
  if (all.device().is_cpu()) return all;
  at::Tensor host = at::empty(
      all.sizes(), all.options().device(at::kCPU).pinned_memory(true));
  host.copy_(all);  // blocking: returns when the data is there
  return host;
}

}  // namespace

absl::StatusOr<AggregatedPass> AggregatePass(const PassChunk& chunk,
                                             ProbeResult&& result,
                                             const ProbedModel& model) {
  AggregatedPass pass;
  std::vector<at::Tensor> parts;
  for (const MapGroup& group : chunk.groups) {
    const absl::Status recorded = CheckRecorded(group, result);
    pass.maps.emplace_back(
        recorded.ok() ? absl::StatusOr<at::Tensor>(at::Tensor()) : recorded);
    if (!recorded.ok()) continue;
    parts.push_back(
        group.attribution.Attribute(ContextOf(group, result, model)));
  }
  for (const PoolGroup& pool : chunk.pools) {
    RETURN_IF_ERROR(result.records[pool.probe].status);
    const at::Tensor& activation = result.records[pool.probe].activation;
    parts.push_back(Pick(activation.mean({2, 3}), pool.rows));
  }
  result.records.clear();
  if (parts.empty()) return pass;
  const at::Tensor host = ToCpu(parts);
  int64_t offset = 0;
  for (at::Tensor& part : parts) {
    const int64_t count = part.numel();
    part = host.narrow(0, offset, count).view(part.sizes().vec());
    offset += count;
  }
  auto next = parts.begin();
  for (absl::StatusOr<at::Tensor>& map : pass.maps) {
    if (map.ok()) map = *next++;
  }
  pass.pooled.assign(next, parts.end());
  return pass;
}

}  // namespace saliency
