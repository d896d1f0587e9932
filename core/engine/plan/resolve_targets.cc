#include "core/engine/plan/resolve_targets.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/near_names.h"
#include "core/base/status.h"

namespace saliency {
namespace {

constexpr std::size_t kMaxOthers = 64;
constexpr double kMaxWeight = 1000;

absl::Status CheckRange(absl::string_view field, int64_t value, int64_t end) {
  if (value >= 0 && value < end) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(field, " ", value, " not in [0, ", end, ")"));
}

// One visit per kind of JobTarget.
struct Resolver {
  const ModelMetadata& model;
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
    RETURN_IF_ERROR(CheckUnique(target.text, index));
    RETURN_IF_ERROR(CheckRange(absl::StrCat(field, ".label has class_index"),
                               index, model.num_classes));
    return ClassIndex{.index = index};
  }

 private:
  // `first` is the lowest index that has the label.
  absl::Status CheckUnique(const std::string& label, int64_t first) const {
    constexpr size_t kMaxNamed = 10;
    std::vector<int64_t> indices;
    for (size_t i = first; i < model.labels.size(); ++i) {
      if (model.labels[i] == label) indices.push_back(static_cast<int64_t>(i));
    }
    if (indices.size() == 1) return absl::OkStatus();
    const size_t named = std::min(indices.size(), kMaxNamed);
    return absl::InvalidArgumentError(absl::StrCat(
        field, ": label \"", Printable(label), "\" is that of ", indices.size(),
        " classes; name one by class_index: ",
        absl::StrJoin(indices.begin(), indices.begin() + named, ", "),
        named < indices.size() ? ", ..." : ""));
  }
};

// "- cat", " + 0.5 dog".
void AddText(const ScoreTerm& term, const ModelMetadata& model,
             std::string& text) {
  const auto index = static_cast<std::size_t>(term.index);
  const double size = std::abs(term.weight);
  absl::StrAppend(&text, text.empty() ? "" : " ", term.weight < 0 ? "-" : "+",
                  " ", size == 1 ? "" : absl::StrCat(size, " "),
                  index < model.labels.size() ? model.labels[index]
                                              : absl::StrCat("class ", index));
}

// A score that takes a logit must be given one.
absl::Status CheckScore(Score score, const OutputMeaning& output) {
  const bool of_all = score == Score::kSoftmax || score == Score::kLogSoftmax;
  const bool of_one = score == Score::kSigmoid || score == Score::kLogSigmoid;
  if (!of_all && !of_one) return absl::OkStatus();
  const char* const name = score == Score::kSoftmax      ? "SOFTMAX"
                           : score == Score::kLogSoftmax ? "LOG_SOFTMAX"
                           : score == Score::kSigmoid    ? "SIGMOID"
                                                         : "LOG_SIGMOID";
  const auto refuse = [&](absl::string_view why) {
    return absl::InvalidArgumentError(
        absl::StrCat("score ", name, " needs logits; ", why));
  };
  switch (output.probabilities) {
    case Probabilities::kGiven:
      return refuse(
          "the model returns probabilities already, which LOGIT "
          "differentiates");
    case Probabilities::kGivenLogs:
      return refuse(
          "the model returns logarithms of probabilities already, which LOGIT "
          "differentiates");
    case Probabilities::kNone:
      return refuse(
          "the model returns plain values, which LOGIT "
          "differentiates");
    case Probabilities::kSoftmax:
    case Probabilities::kSigmoid:
      break;
  }
  if (!of_all || !output.one_output) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("score ", name,
                   " needs two logits or more; the model returns one, whose "
                   "probability is its SIGMOID"));
}

}  // namespace

std::vector<PassTarget> ResolveTargets(const Job& job,
                                       const ModelMetadata& model,
                                       const EngineLimits& limits,
                                       Violations& found) {
  found.Add(CheckScore(job.score, model.meaning));
  if (job.score == Score::kScalarOutput) {
    if (!model.returns_one_number()) {
      found.Add(absl::InvalidArgumentError(absl::StrCat(
          "score SCALAR_OUTPUT needs a model with one output; this one has ",
          model.num_classes, " classes")));
    }
    if (!job.targets.empty()) {
      found.Add(absl::InvalidArgumentError(absl::StrCat(
          "targets must be empty with score SCALAR_OUTPUT; there are ",
          job.targets.size())));
    }
  }
  if (job.targets.empty()) return {RankFromTop{}};
  std::vector<PassTarget> targets;
  if (job.targets.size() > static_cast<std::size_t>(limits.max_targets)) {
    found.Add(absl::InvalidArgumentError(absl::StrCat(
        "targets: ", job.targets.size(), " of at most ", limits.max_targets)));
    return targets;
  }
  for (std::size_t i = 0; i < job.targets.size(); ++i) {
    targets.push_back(found.Take(ResolveJobTarget(
        job.targets[i], model, absl::StrCat("targets[", i, "]"))));
  }
  return targets;
}

absl::StatusOr<PassTarget> ResolveJobTarget(const JobTarget& target,
                                            const ModelMetadata& model,
                                            const std::string& field) {
  const auto resolve = [&](const NamedTarget& named, const std::string& at) {
    return std::visit(Resolver{.model = model, .field = at}, named);
  };
  ASSIGN_OR_RETURN(PassTarget resolved, resolve(target, field));
  if (target.others.size() > kMaxOthers) {
    return absl::InvalidArgumentError(absl::StrCat(
        field, ".others: ", target.others.size(), " of at most ", kMaxOthers));
  }
  for (std::size_t i = 0; i < target.others.size(); ++i) {
    const JobTerm& term = target.others[i];
    const std::string at = absl::StrCat(field, ".others[", i, "]");
    if (!(std::abs(term.weight) <= kMaxWeight)) {
      return absl::InvalidArgumentError(
          absl::StrCat(at, ".weight ", term.weight, " not in [-", kMaxWeight,
                       ", ", kMaxWeight, "]"));
    }
    const NamedTarget named = std::visit(
        [](const auto& one) { return NamedTarget(one); }, term.target);
    ASSIGN_OR_RETURN(const ClassTarget other, resolve(named, at));
    const int64_t index = std::get<ClassIndex>(other).index;
    resolved.others.push_back({.index = index, .weight = term.weight});
    AddText(resolved.others.back(), model, resolved.others_text);
  }
  return resolved;
}

}  // namespace saliency
