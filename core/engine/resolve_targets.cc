#include "core/engine/resolve_targets.h"

#include <algorithm>
#include <cstddef>
#include <variant>

#include "absl/strings/str_cat.h"
#include "core/base/near_names.h"
#include "core/base/status.h"

namespace saliency {
namespace {

absl::Status CheckRange(absl::string_view field, int64_t value, int64_t end) {
  if (value >= 0 && value < end) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(field, " ", value, " not in [0, ", end, ")"));
}

// One visit per kind of JobTarget.
struct Resolver {
  const ModelFacts& model;
  const std::string& field;  // "targets[1]"

  absl::StatusOr<ClassTarget> operator()(const ClassIndex& target) const {
    RETURN_IF_ERROR(CheckRange(absl::StrCat(field, ".class_index"),
                               target.index, model.num_classes));
    return target;
  }
  absl::StatusOr<ClassTarget> operator()(const RankFromTop& target) const {
    RETURN_IF_ERROR(CheckRange(absl::StrCat(field, ".rank_from_top"),
                               target.rank, model.num_classes));
    return target;
  }
  absl::StatusOr<ClassTarget> operator()(const RankFromBottom& target) const {
    RETURN_IF_ERROR(CheckRange(absl::StrCat(field, ".rank_from_bottom"),
                               target.rank, model.num_classes));
    return target;
  }
  absl::StatusOr<ClassTarget> operator()(const Label& target) const {
    if (model.labels.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(field, ".label \"", Printable(target.text),
                       "\": the model has no labels"));
    }
    const auto found =
        std::find(model.labels.begin(), model.labels.end(), target.text);
    if (found == model.labels.end()) {
      return absl::InvalidArgumentError(absl::StrCat(
          field, ": ", NotFoundMessage("label", target.text, model.labels)));
    }
    const int64_t index = found - model.labels.begin();
    RETURN_IF_ERROR(CheckRange(absl::StrCat(field, ".label has class_index"),
                               index, model.num_classes));
    return ClassIndex{.index = index};
  }
};

}  // namespace

absl::StatusOr<std::vector<ClassTarget>> ResolveTargets(
    const Job& job, const ModelFacts& model, const EngineLimits& limits) {
  if (job.score == Score::kScalarOutput) {
    if (model.num_classes != 1) {
      return absl::InvalidArgumentError(absl::StrCat(
          "score SCALAR_OUTPUT needs a model with one output; this one has ",
          model.num_classes, " classes"));
    }
    if (!job.targets.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "targets must be empty with score SCALAR_OUTPUT; there are ",
          job.targets.size()));
    }
  }
  if (job.targets.size() > static_cast<std::size_t>(limits.max_targets)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "targets: ", job.targets.size(), " of at most ", limits.max_targets));
  }
  if (job.targets.empty()) return std::vector<ClassTarget>{RankFromTop{}};
  std::vector<ClassTarget> targets;
  for (std::size_t i = 0; i < job.targets.size(); ++i) {
    ASSIGN_OR_RETURN(ClassTarget target,
                     ResolveJobTarget(job.targets[i], model,
                                      absl::StrCat("targets[", i, "]")));
    targets.push_back(target);
  }
  return targets;
}

absl::StatusOr<ClassTarget> ResolveJobTarget(const JobTarget& target,
                                             const ModelFacts& model,
                                             const std::string& field) {
  return std::visit(Resolver{.model = model, .field = field}, target);
}

}  // namespace saliency
