#include "core/model/meta/meta_step.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/model/record_rows.h"

namespace saliency {
namespace {

at::Tensor Index(const std::vector<int64_t>& values) {
  return at::tensor(values, at::kLong);
}

// Some of a request's rows, with the images they need.
struct Part {
  ProbeRequest request;
  std::vector<int64_t> rows;    // of the whole request, per row
  std::vector<int64_t> images;  // of the whole request, per image
};

Part SelectRows(const ProbeRequest& request, bool with_step) {
  Part part;
  std::map<int64_t, int64_t> place;  // of an image in `images`
  for (size_t r = 0; r < request.rows.size(); ++r) {
    ProbeRow row = request.rows[r];
    if ((row.meta->epsilon != 0) != with_step) continue;
    const auto [it, is_new] =
        place.emplace(row.image, static_cast<int64_t>(part.images.size()));
    if (is_new) part.images.push_back(row.image);
    row.image = it->second;
    part.request.rows.push_back(row);
    part.rows.push_back(static_cast<int64_t>(r));
  }
  part.request.input = request.input.index_select(
      0, Index(part.images).to(request.input.device()));
  part.request.probes = request.probes;
  part.request.activation_only = request.activation_only;
  return part;
}

// The parts' rows put back in order; undefined when a part's are.
at::Tensor Interleave(const at::Tensor& a, const at::Tensor& b,
                      const at::Tensor& order) {
  if (!a.defined() || !b.defined()) return {};
  return at::cat({a, b}).index_select(0, order.to(a.device()));
}

at::Tensor OrderOf(const std::vector<int64_t>& a,
                   const std::vector<int64_t>& b) {
  std::map<int64_t, int64_t> place;  // the first of two places wins
  for (const int64_t index : a) {
    place.emplace(index, static_cast<int64_t>(place.size()));
  }
  for (size_t i = 0; i < b.size(); ++i) {
    place.emplace(b[i], static_cast<int64_t>(a.size() + i));
  }
  std::vector<int64_t> order;
  for (const auto& [index, at] : place) order.push_back(at);
  return Index(order);
}

ProbeResult Merge(const Part& first, const ProbeResult& a, const Part& second,
                  const ProbeResult& b) {
  const at::Tensor order = OrderOf(first.rows, second.rows);
  ProbeResult all;
  all.logits =
      Interleave(a.logits, b.logits, OrderOf(first.images, second.images));
  all.stepped_logits = Interleave(a.stepped_logits, b.stepped_logits, order);
  const std::vector<int64_t> places(order.data_ptr<int64_t>(),
                                    order.data_ptr<int64_t>() + order.numel());
  for (size_t i = 0; i < a.records.size(); ++i) {
    all.records.push_back(
        PickRows(JoinRows({a.records[i], b.records[i]}), places));
  }
  const auto from_a = static_cast<int64_t>(first.rows.size());
  for (int64_t i = 0; i < order.numel(); ++i) {
    const int64_t at = order[i].item<int64_t>();
    const ProbeResult& source = at < from_a ? a : b;
    const int64_t row = at < from_a ? at : at - from_a;
    all.class_index.push_back(source.class_index[row]);
    all.score.push_back(source.score[row]);
  }
  all.forward_time = a.forward_time + b.forward_time;
  all.backward_time = a.backward_time + b.backward_time;
  return all;
}

// Of class `index` in one row [C].
at::Tensor LogLikelihood(const at::Tensor& row, int64_t index, MetaLoss loss,
                         Probabilities probabilities) {
  // A probability that has underflowed has no logarithm, and no gradient.
  constexpr double kSmallest = std::numeric_limits<float>::min();
  switch (probabilities) {
    case Probabilities::kGiven:
      return at::log(row[index].clamp_min(kSmallest));
    case Probabilities::kGivenLogs:
      return row[index];
    case Probabilities::kSoftmax:
    case Probabilities::kSigmoid:
    case Probabilities::kNone:
      break;
  }
  return loss == MetaLoss::kCrossEntropy ? at::log_softmax(row, 0)[index]
                                         : at::log_sigmoid(row[index]);
}

// theta' is theta.
absl::StatusOr<ProbeResult> Unmoved(
    const ProbeRequest& request,
    const std::function<absl::StatusOr<ProbeResult>(const ProbeRequest&)>&
        plain) {
  ASSIGN_OR_RETURN(ProbeResult result, plain(request));
  std::vector<int64_t> image;
  for (const ProbeRow& row : request.rows) image.push_back(row.image);
  result.stepped_logits = result.logits.index_select(0, Index(image));
  return result;
}

}  // namespace

bool HasMetaSteps(const ProbeRequest& request) {
  const bool has = request.rows.at(0).meta.has_value();
  for (const ProbeRow& row : request.rows) {
    assert(row.meta.has_value() == has);
    static_cast<void>(row);
  }
  return has;
}

absl::Status CheckMetaSteps(const ProbeRequest& request,
                            const OutputMeaning& output, int64_t num_classes) {
  std::set<int64_t> images;
  for (const ProbeRow& row : request.rows) {
    images.insert(row.image);
    const double epsilon = row.meta->epsilon;
    if (!std::isfinite(epsilon) || epsilon < 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "epsilon ", epsilon,
          " is not a finite number >= 0; ASCENT is a direction of its own"));
    }
    if (row.score == Score::kScalarOutput) {
      return absl::InvalidArgumentError(
          "score SCALAR_OUTPUT has no cross-entropy that a meta step could "
          "follow");
    }
    RETURN_IF_ERROR(CheckLoss(row.meta->loss, output, num_classes));
  }
  if (static_cast<int64_t>(images.size()) != request.input.size(0)) {
    return absl::InvalidArgumentError("an image of the batch has no row");
  }
  return absl::OkStatus();
}

double StepSize(const MetaStep& step) {
  const double size = 2 * step.epsilon;
  return step.direction == MetaDirection::kDescent ? size : -size;
}

at::Tensor MetaLosses(const at::Tensor& logits,
                      absl::Span<const int64_t> classes,
                      absl::Span<const ProbeRow> rows,
                      Probabilities probabilities) {
  std::vector<at::Tensor> losses;
  for (size_t r = 0; r < rows.size(); ++r) {
    losses.push_back(-LogLikelihood(logits[static_cast<int64_t>(r)], classes[r],
                                    rows[r].meta->loss, probabilities));
  }
  return at::stack(losses);
}

absl::StatusOr<ProbeResult> SplitZeroSteps(
    const ProbeRequest& request,
    const std::function<absl::StatusOr<ProbeResult>(const ProbeRequest&)>&
        plain,
    const std::function<absl::StatusOr<ProbeResult>(const ProbeRequest&)>&
        stepped) {
  const auto is_still = [](const ProbeRow& row) {
    return row.meta->epsilon == 0;
  };
  if (std::none_of(request.rows.begin(), request.rows.end(), is_still)) {
    return stepped(request);
  }
  if (std::all_of(request.rows.begin(), request.rows.end(), is_still)) {
    return Unmoved(request, plain);
  }
  const Part still = SelectRows(request, /*with_step=*/false);
  const Part moving = SelectRows(request, /*with_step=*/true);
  ASSIGN_OR_RETURN(const ProbeResult unmoved, Unmoved(still.request, plain));
  ASSIGN_OR_RETURN(const ProbeResult moved, stepped(moving.request));
  return Merge(still, unmoved, moving, moved);
}

}  // namespace saliency
