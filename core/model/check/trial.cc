#include "core/model/check/trial.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/model/torch_status.h"

namespace saliency {
namespace {

using Survey = ProbedNetwork::Survey;

// As drawn, as bytes are, and dark but for a few spikes.
std::vector<at::Tensor> TrialImages(const TrialSize& size) {
  auto generator = at::detail::createCPUGenerator(/*seed=*/20200616);
  const std::vector<int64_t> sizes = {1, size.channels, size.height,
                                      size.width};
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

}  // namespace

at::Tensor RandomImages(int64_t count, const TrialSize& size) {
  auto generator = at::detail::createCPUGenerator(/*seed=*/20200616);
  return at::randn({count, size.channels, size.height, size.width}, generator);
}

double RoundingOf(at::ScalarType dtype) {
  return dtype == at::kFloat ? 1e-3 : 0.1;
}

Trial::Trial(ProbedNetwork& network, const TrialSize& size)
    : network_(network), images_(TrialImages(size)) {}

absl::Status Trial::RunAlone() {
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

absl::Status Trial::RunBlack() {
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

absl::Status Trial::RunTogether() {
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

at::Tensor Trial::TwoImages() const {
  return at::cat({images_[0], images_[1]});
}

const std::vector<int64_t>& Trial::SizesAlone(size_t id) const {
  for (const Survey& survey : alone_) {
    if (!survey.sizes[id].empty()) return survey.sizes[id];
  }
  return alone_.front().sizes[id];
}

int64_t Trial::EntriesFor(size_t id, size_t images) const {
  const std::vector<int64_t>& sizes =
      images == 1 ? SizesAlone(id) : together_.at(images - 2).survey.sizes[id];
  return sizes.empty() ? 0 : sizes[0];
}
bool Trial::HoldsWholeNumbers(size_t id) const {
  return std::any_of(alone_.begin(), alone_.end(), [&](const Survey& survey) {
    return survey.holds_whole_numbers[id];
  });
}
bool Trial::LogitsAreThoseAlone(double tolerance) const {
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

bool Trial::TensorIsThatAlone(size_t id, double tolerance) const {
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

bool Trial::OutputsAreNoNumbers() const {
  for (const Company& company : together_) {
    for (const int64_t image : company.images) {
      if (!alone_[image].logits.isnan().any().item<bool>()) return false;
    }
  }
  return true;
}

absl::StatusOr<ProbedNetwork::Survey> Trial::RunTwice(const at::Tensor& batch) {
  ASSIGN_OR_RETURN(Survey first, network_.SurveyMarks(batch));
  ASSIGN_OR_RETURN(const Survey second, network_.SurveyMarks(batch));
  // Kernels may add up in another order each time, on a GPU.
  if (!AnswersAlike(first, second, RoundingOf(network_.dtype()) / 100)) {
    repeats_ = false;
  }
  return first;
}

}  // namespace saliency
