#include "core/model/meta/single_rows.h"

#include <ATen/ATen.h>

#include <utility>
#include <vector>

#include "core/base/status.h"
#include "core/model/record_rows.h"

namespace saliency {
namespace {

// Undefined when a part is missing.
at::Tensor Join(const std::vector<at::Tensor>& parts) {
  for (const at::Tensor& part : parts) {
    if (!part.defined()) return {};
  }
  return at::cat(parts);
}

}  // namespace

absl::StatusOr<ProbeResult> RunRowByRow(
    const ProbeRequest& request,
    const std::function<absl::StatusOr<ProbeResult>(const ProbeRequest&)>&
        run) {
  ProbeResult all;
  const size_t probes = request.probes.size();
  std::vector<at::Tensor> logits(request.input.size(0));
  std::vector<at::Tensor> stepped_logits;
  std::vector<std::vector<ProbeResult::Record>> records(probes);
  for (const ProbeRow& row : request.rows) {
    ProbeRequest single = {request.input.slice(0, row.image, row.image + 1),
                           {row},
                           request.probes,
                           request.activation_only,
                           request.rule};
    single.rows[0].image = 0;
    ASSIGN_OR_RETURN(ProbeResult result, run(single));
    logits[row.image] = result.logits;
    stepped_logits.push_back(result.stepped_logits);
    all.class_index.push_back(result.class_index[0]);
    all.score.push_back(result.score[0]);
    all.forward_time += result.forward_time;
    all.backward_time += result.backward_time;
    for (size_t i = 0; i < probes; ++i) {
      records[i].push_back(std::move(result.records[i]));
    }
  }
  for (size_t i = 0; i < probes; ++i) {
    all.records.push_back(JoinRows(records[i]));
  }
  all.logits = Join(logits);
  all.stepped_logits = Join(stepped_logits);
  return all;
}

}  // namespace saliency
