#include "core/model/check/self_check.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/status.h"
#include "core/model/check/origin_study.h"
#include "core/model/graph/data_dependence.h"
#include "core/model/torch_status.h"

namespace saliency {
namespace {

using Survey = ProbedNetwork::Survey;

// How often the operators of a random model are followed again, unless they mix
// images before: an order of two is drawn so that nothing moves half the
// time.
constexpr int kStudiesOfChance = 2;
constexpr int kStudiesOfOrder = 20;

// Of what a batch of another size may round off, relative to a row's largest
// logit, or to the sum of a tensor's magnitudes.
double RoundingOf(at::ScalarType dtype) {
  return dtype == at::kFloat ? 1e-3 : 0.1;
}

// As drawn, as bytes are, and dark but for a few spikes.
std::vector<at::Tensor> TrialImages(const TrialSize& size) {
  auto generator = at::detail::createCPUGenerator(/*seed=*/20200616);
  const std::vector<int64_t> sizes = {1, 3, size.height, size.width};
  const at::Tensor plain = at::randn(sizes, generator);
  const at::Tensor bytes = at::rand(sizes, generator) * 255;
  const at::Tensor spikes =
      (at::rand(sizes, generator) > 0.99) * (20 * at::randn(sizes, generator)) -
      2;
  return {plain, bytes, spikes};
}

// Not a number where both are none is no difference.
bool IsClose(const at::Tensor& a, const at::Tensor& b, double tolerance,
             double scale) {
  const at::Tensor same = a.eq(b).logical_or(a.isnan().logical_and(b.isnan()));
  const at::Tensor close = (a - b).abs().le(tolerance * scale);
  return same.logical_or(close).all().item<bool>();
}

double LargestOf(const at::Tensor& values) {
  return at::nan_to_num(values.abs(), 0, 0, 0).max().item<double>();
}

// Row `a_row` of one survey against row `b_row` of another.
bool LogitsAgree(const Survey& a, int64_t a_row, const Survey& b, int64_t b_row,
                 double tolerance) {
  if (a.logits.size(1) != b.logits.size(1)) return false;
  const at::Tensor row = b.logits[b_row];
  return IsClose(a.logits[a_row], row, tolerance, LargestOf(row));
}

bool DigestsAgree(const at::Tensor& a, int64_t a_row, const at::Tensor& b,
                  int64_t b_row, double tolerance) {
  if (!a.defined() || !b.defined()) return a.defined() == b.defined();
  if (a_row >= a.size(0) || b_row >= b.size(0)) return false;
  return IsClose(a[a_row], b[b_row], tolerance, LargestOf(b[b_row]));
}

bool AnswersAlike(const Survey& a, const Survey& b, double tolerance) {
  if (a.logits.sizes() != b.logits.sizes()) return false;
  for (int64_t row = 0; row < a.logits.size(0); ++row) {
    if (!LogitsAgree(a, row, b, row, tolerance)) return false;
  }
  for (size_t id = 0; id < a.digests.size(); ++id) {
    const at::Tensor& digest = a.digests[id];
    const int64_t entries = digest.defined() ? digest.size(0) : 0;
    for (int64_t i = 0; i < entries; ++i) {
      if (!DigestsAgree(digest, i, b.digests[id], i, tolerance)) return false;
    }
  }
  return true;
}

// The trial: images alone, then these in company.
struct Company {
  std::vector<int64_t> images;
  Survey survey;
};

class Trial {
 public:
  Trial(ProbedNetwork& network, const TrialSize& size)
      : network_(network), images_(TrialImages(size)) {}

  // Errors: see CheckNetwork.
  absl::Status RunAlone() {
    for (const at::Tensor& image : images_) {
      ASSIGN_OR_RETURN(Survey survey, RunTwice(image));
      if (survey.logits.size(0) != 1) {
        return absl::InvalidArgumentError(
            absl::StrCat("the model returned ", survey.logits.size(0),
                         " rows of logits for one image"));
      }
      alone_.push_back(std::move(survey));
    }
    return absl::OkStatus();
  }

  // A course that depends on the images may come by some tensors for a black
  // one only.
  absl::Status RunBlack() {
    const size_t marks = alone_.front().sizes.size();
    bool missing = false;
    for (size_t id = 0; id < marks; ++id) {
      missing |= network_.positions()[id] >= 0 && SizesAlone(id).empty();
    }
    if (!missing) return absl::OkStatus();
    const at::Tensor black = at::zeros_like(images_.front());
    ASSIGN_OR_RETURN(Survey survey, network_.SurveyMarks(black));
    images_.push_back(black);
    alone_.push_back(std::move(survey));
    return absl::OkStatus();
  }

  // Errors: INVALID_ARGUMENT the network cannot run several images at once.
  absl::Status RunTogether() {
    for (const std::vector<int64_t>& order :
         {std::vector<int64_t>{0, 1}, std::vector<int64_t>{2, 1, 0}}) {
      std::vector<at::Tensor> batch;
      for (const int64_t image : order) batch.push_back(images_[image]);
      Company company = {order, {}};
      RETURN_IF_ERROR(CatchTorch(absl::StatusCode::kInvalidArgument,
                                 "it cannot run several images at once", [&] {
                                   ASSIGN_OR_RETURN(company.survey,
                                                    RunTwice(at::cat(batch)));
                                   return absl::OkStatus();
                                 }));
      together_.push_back(std::move(company));
    }
    return absl::OkStatus();
  }

  bool repeats() const { return repeats_; }
  at::Tensor TwoImages() const { return at::cat({images_[0], images_[1]}); }
  const Survey& Alone() const { return alone_.front(); }
  const std::vector<at::Tensor>& images() const { return images_; }
  // For the first image that came by; empty: none did.
  const std::vector<int64_t>& SizesAlone(size_t id) const {
    for (const Survey& survey : alone_) {
      if (!survey.sizes[id].empty()) return survey.sizes[id];
    }
    return alone_.front().sizes[id];
  }

  bool LogitsAreThoseAlone(double tolerance) const {
    for (const Company& company : together_) {
      const auto count = static_cast<int64_t>(company.images.size());
      if (company.survey.logits.size(0) != count) return false;
      for (int64_t row = 0; row < count; ++row) {
        if (!LogitsAgree(company.survey, row, alone_[company.images[row]], 0,
                         tolerance)) {
          return false;
        }
      }
    }
    return true;
  }

  // Whether the output of no image of a batch was a number: then nothing was
  // compared.
  bool OutputsAreNoNumbers() const {
    for (const Company& company : together_) {
      for (const int64_t image : company.images) {
        if (!alone_[image].logits.isnan().any().item<bool>()) return false;
      }
    }
    return true;
  }

  // How many entries the mark has for `images` images; 0: it was not met.
  int64_t EntriesFor(size_t id, size_t images) const {
    const std::vector<int64_t>& sizes =
        images == 1 ? SizesAlone(id)
                    : together_.at(images - 2).survey.sizes[id];
    return sizes.empty() ? 0 : sizes[0];
  }
  bool HoldsWholeNumbers(size_t id) const {
    return std::any_of(alone_.begin(), alone_.end(), [&](const Survey& survey) {
      return survey.holds_whole_numbers[id];
    });
  }
  size_t largest_batch() const { return 1 + together_.size(); }

  bool TensorIsThatAlone(size_t id, double tolerance) const {
    for (const Company& company : together_) {
      for (size_t row = 0; row < company.images.size(); ++row) {
        if (!DigestsAgree(company.survey.digests[id], static_cast<int64_t>(row),
                          alone_[company.images[row]].digests[id], 0,
                          tolerance)) {
          return false;
        }
      }
    }
    return true;
  }

 private:
  absl::StatusOr<Survey> RunTwice(const at::Tensor& batch) {
    ASSIGN_OR_RETURN(Survey first, network_.SurveyMarks(batch));
    ASSIGN_OR_RETURN(const Survey second, network_.SurveyMarks(batch));
    // Kernels may add up in another order each time, on a GPU.
    if (!AnswersAlike(first, second, RoundingOf(network_.dtype()) / 100)) {
      repeats_ = false;
    }
    return first;
  }

  ProbedNetwork& network_;
  std::vector<at::Tensor> images_;
  std::vector<Survey> alone_;  // by image
  std::vector<Company> together_;
  bool repeats_ = true;
};

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
  check.num_classes = trial.Alone().logits.size(1);
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
