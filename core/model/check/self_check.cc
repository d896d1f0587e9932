#include "core/model/check/self_check.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/status.h"
#include "core/model/check/origin_study.h"
#include "core/model/check/trial.h"
#include "core/model/graph/data_dependence.h"
#include "core/model/torch_status.h"

namespace saliency {
namespace {

// How often the operators of a random model are followed again, unless they mix
// images before: an order of two is drawn so that nothing moves half the
// time.
constexpr int kStudiesOfChance = 2;
constexpr int kStudiesOfOrder = 20;

std::string ShapeInWords(const std::vector<int64_t>& sizes) {
  return absl::StrCat("[", absl::StrJoin(sizes.begin() + 1, sizes.end(), ","),
                      "]");
}

// Why rows depend on each other; empty: they do not.
absl::StatusOr<std::string> WhyRowsDepend(
    const ProbedNetwork& network, const Trial& trial,
    const absl::Status& together, const absl::StatusOr<OriginStudy>& study) {
  const std::string reader = NumberReadFromImages(network.marked());
  if (!reader.empty()) {
    return absl::StrCat("operator ", reader,
                        " reads a number off the values of all images");
  }
  if (GoesByNumberOfImages(network.marked())) {
    return "what it does depends on the number of images";
  }
  if (absl::IsInvalidArgument(together)) return std::string(together.message());
  RETURN_IF_ERROR(together);
  if (absl::IsInvalidArgument(study.status())) {
    return "its operators could not be followed";
  }
  RETURN_IF_ERROR(study.status());
  if (!study->mixing_operator.empty()) {
    return absl::StrCat("operator ", study->mixing_operator,
                        " mixes the images of a batch");
  }
  if (!study->output_apart) {
    return "a row of its output is not that of the row's image alone";
  }
  if (trial.OutputsAreNoNumbers()) {
    return "its outputs for the images of a trial are not numbers, so that "
           "nothing could be compared";
  }
  if (trial.repeats() &&
      !trial.LogitsAreThoseAlone(RoundingOf(network.dtype()))) {
    return "its answer to an image changes beside other images";
  }
  return "";
}

std::string WhyNotByRow(const Trial& trial, size_t id, bool rows_independent,
                        const TensorOrigins& origins, double tolerance) {
  const size_t batches = rows_independent ? trial.largest_batch() : 1;
  for (size_t images = 1; images <= batches; ++images) {
    const int64_t entries = trial.EntriesFor(id, images);
    if (entries == static_cast<int64_t>(images)) continue;
    const std::string count =
        images == 1 ? "1 image" : absl::StrCat(images, " images");
    if (entries == 0) {
      return absl::StrCat("a pass of ", count, " at load did not come by it");
    }
    return absl::StrCat(
        "it has ", entries, " entries for ", count,
        ": tiles, views, frames or windows of an image lie along its first "
        "axis, or that is not the axis of images");
  }
  if (!rows_independent) return "";
  if (!origins.rows_apart) {
    return "its entry for an image holds what belongs to other images";
  }
  if (trial.repeats() && !trial.TensorIsThatAlone(id, tolerance)) {
    return "its entry for an image changes beside other images";
  }
  return "";
}

// Whole numbers (positions of maxima, masks) have no gradient.
constexpr char kWholeNumbers[] =
    "it holds whole numbers or truth values, which have no gradient";

std::string WhyNoGrid(const std::vector<int64_t>& sizes, GridKind kind) {
  if (sizes.size() == 3) {
    return absl::StrCat("its shape ", ShapeInWords(sizes),
                        " is that of tokens: no axes of height and width");
  }
  if (sizes.size() != 4) {
    return absl::StrCat("its shape ", ShapeInWords(sizes),
                        " has no axes of height and width");
  }
  switch (kind) {
    case GridKind::kGrid:
      return "";
    case GridKind::kTokens:
      return absl::StrCat("the positions of its shape ", ShapeInWords(sizes),
                          " lie along one axis, as in an attention matrix");
    case GridKind::kShuffled:
      return "its positions are rolled or in another order than the image's";
    case GridKind::kElsewhere:
      return "its positions are those of a crop of the image, or frequencies";
    case GridKind::kUnknown:
    case GridKind::kNone:
      break;
  }
  return absl::StrCat("which axes of its shape ", ShapeInWords(sizes),
                      " are channels, height and width cannot be told from "
                      "the operators that made it");
}

// One position only: the axis that is longer than 1 is that of channels.
std::optional<GridAxes> SinglePosition(const std::vector<int64_t>& sizes) {
  if (sizes.size() != 4) return std::nullopt;
  int long_axis = 0;
  for (int axis = 1; axis < 4; ++axis) {
    if (sizes[axis] == 1) continue;
    if (long_axis != 0) return std::nullopt;
    long_axis = axis;
  }
  GridAxes axes = {.kind = GridKind::kGrid};
  if (long_axis == 2) axes = {GridKind::kGrid, 2, 1, 3};
  if (long_axis == 3) axes = {GridKind::kGrid, 3, 1, 2};
  return axes;
}

TensorForm FormOf(const Trial& trial, size_t id, bool rows_independent,
                  const TensorOrigins& origins, double tolerance) {
  TensorForm form = {.sizes = trial.SizesAlone(id)};
  if (form.sizes.empty()) {
    form.no_maps_because = "the pass of an image at load did not come by it";
    return form;
  }
  const std::string folded =
      WhyNotByRow(trial, id, rows_independent, origins, tolerance);
  form.by_row = folded.empty();
  GridAxes axes = origins.axes;
  if (axes.kind == GridKind::kUnknown) {
    axes = SinglePosition(form.sizes).value_or(axes);
  }
  form.no_maps_because = !form.by_row ? folded
                         : trial.HoldsWholeNumbers(id)
                             ? kWholeNumbers
                             : WhyNoGrid(form.sizes, axes.kind);
  form.axes = {0, axes.channels, axes.height, axes.width};
  return form;
}

// Where the first run did not come by, what the second found.
void AddReached(const OriginStudy& other, OriginStudy& study) {
  for (size_t id = 0; id < study.tensors.size(); ++id) {
    if (!study.tensors[id].reached) study.tensors[id] = other.tensors[id];
  }
}

// Two images where the network can run them; else, and where its course is
// not always the same, one at a time, which shows no mixing.
absl::StatusOr<OriginStudy> Study(ProbedNetwork& network, const Trial& trial,
                                  const absl::Status& together) {
  if (together.ok() && NumberReadFromImages(network.marked()).empty()) {
    absl::StatusOr<OriginStudy> study =
        StudyOrigins(network, trial.TwoImages());
    // Chance may have spared the images this time.
    const int more = !study.ok() || study->random_operator.empty() ? 0
                     : study->draws_order ? kStudiesOfOrder
                                          : kStudiesOfChance;
    for (int i = 0; i < more && study.ok(); ++i) {
      if (!study->mixing_operator.empty() || !study->output_apart) break;
      study = StudyOrigins(network, trial.TwoImages());
    }
    return study;
  }
  ASSIGN_OR_RETURN(OriginStudy study, StudyOrigins(network, trial.images()[0]));
  for (const at::Tensor& image : trial.images()) {
    ASSIGN_OR_RETURN(const OriginStudy other, StudyOrigins(network, image));
    AddReached(other, study);
  }
  return study;
}

}  // namespace

absl::StatusOr<NetworkCheck> CheckNetwork(ProbedNetwork& network,
                                          const TrialSize& size) {
  Trial trial(network, size);
  RETURN_IF_ERROR(trial.RunAlone());
  const absl::Status black =
      CatchTorch(absl::StatusCode::kInvalidArgument, "a black image",
                 [&] { return trial.RunBlack(); });
  // One that the model cannot run shows nothing.
  if (!black.ok() && !absl::IsInvalidArgument(black)) return black;
  const absl::Status together = trial.RunTogether();
  const absl::StatusOr<OriginStudy> study = Study(network, trial, together);
  NetworkCheck check;
  ASSIGN_OR_RETURN(check.self.rows_depend_because,
                   WhyRowsDepend(network, trial, together, study));
  check.self.rows_independent = check.self.rows_depend_because.empty();
  check.self.deterministic = trial.repeats();
  if (study.ok()) check.self.random_operator = study->random_operator;
  check.num_classes = trial.num_classes();
  const size_t marks = network.marked().marks.size();
  for (size_t id = 0; id < marks; ++id) {
    check.tensors.push_back(
        FormOf(trial, id, check.self.rows_independent,
               study.ok() ? study->tensors[id] : TensorOrigins(),
               RoundingOf(network.dtype())));
  }
  return check;
}

}  // namespace saliency
