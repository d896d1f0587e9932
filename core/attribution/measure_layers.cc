#include "core/attribution/measure_layers.h"

#include <ATen/ATen.h>

#include <cassert>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/attribution/feature_spread.h"
#include "core/attribution/held_out.h"
#include "core/base/status.h"

namespace saliency {
namespace {

constexpr int64_t kMinOfClass = 2;  // one to learn from, one to be judged by
constexpr int64_t kMinClasses = 2;
constexpr int64_t kMinImages = kMinOfClass * kMinClasses;

std::string Counted(int64_t count, absl::string_view one,
                    absl::string_view several) {
  return absl::StrCat(count, " ", count == 1 ? one : several);
}

absl::Status CheckEnough(const SampledImages& sample) {
  const auto classes = static_cast<int64_t>(sample.classes.size());
  const int64_t images = classes == 0 ? 0 : sample.labels.size(0);
  if (classes >= kMinClasses && images >= kMinImages) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "images: ", images, " of ", Counted(classes, "class", "classes"),
      " can be used, of at least ", kMinImages, " of ", kMinClasses,
      " classes that have ", kMinOfClass, " each"));
}

// The images of one side.
struct Side {
  at::Tensor rows;    // [m] int64
  at::Tensor labels;  // [m,C] int8

  at::Tensor Of(const at::Tensor& features) const {
    return features.index_select(0, rows);
  }
};

Side SideOf(const at::Tensor& is_in, const at::Tensor& labels) {
  const at::Tensor rows = is_in.nonzero().view({-1});
  return {.rows = rows, .labels = labels.index_select(0, rows)};
}

// Leaves out the classes that one side has no image of, or no image
// without.
void KeepTwoSided(Side& learn, Side& judge, std::vector<int64_t>& classes,
                  std::vector<LeftOutClass>& left_out) {
  const auto has = [](const Side& side, int64_t column, int value) {
    return side.labels.select(1, column).eq(value).any().item<bool>();
  };
  std::vector<int64_t> columns;
  std::vector<int64_t> kept;
  for (std::size_t c = 0; c < classes.size(); ++c) {
    const auto column = static_cast<int64_t>(c);
    const bool with = has(learn, column, 1) && has(judge, column, 1);
    const bool without = has(learn, column, 0) && has(judge, column, 0);
    if (with && without) {
      columns.push_back(column);
      kept.push_back(classes[c]);
      continue;
    }
    left_out.push_back(
        {.index = classes[c],
         .reason = absl::StrCat("has no image ", with ? "without" : "with",
                                " it to learn from, or none to be judged by")});
  }
  const at::Tensor index = at::tensor(columns, at::kLong);
  learn.labels = learn.labels.index_select(1, index);
  judge.labels = judge.labels.index_select(1, index);
  classes = std::move(kept);
}

absl::StatusOr<MeasuredLayer> MeasureLayer(const at::Tensor& features,
                                           const at::Tensor& chances,
                                           const Side& learn, const Side& judge,
                                           const ClassifierOptions& options) {
  FeatureSpread spread;
  RETURN_IF_ERROR(spread.Add(features.unsqueeze(-1).unsqueeze(-1)));
  MeasuredLayer measured;
  ASSIGN_OR_RETURN(measured.feature_spread, spread.Gamma(chances));
  ASSIGN_OR_RETURN(
      const LinearClassifier classifier,
      TrainLinearClassifier(learn.Of(features), learn.labels, options));
  measured.classification_accuracy = Accuracy(
      classifier, judge.Of(features), judge.labels, options.multi_label);
  return measured;
}

}  // namespace

absl::StatusOr<LayerMeasurement> MeasureLayers(
    const ClassSample& sample, absl::Span<const int64_t> channels,
    const MeasureOptions& options, std::vector<LeftOutClass>& left_out) {
  const at::NoGradGuard no_grad;
  std::vector<std::pair<int64_t, int64_t>> rare;
  SampledImages images = sample.Take(kMinOfClass, rare);
  for (const auto& [of_class, count] : rare) {
    left_out.push_back(
        {.index = of_class,
         .reason = absl::StrCat("has ", Counted(count, "image", "images"),
                                ", of at least ", kMinOfClass)});
  }
  RETURN_IF_ERROR(CheckEnough(images));
  const at::Tensor held_out =
      ChooseHeldOut(images.labels, options.held_out, options.seed);
  Side learn = SideOf(held_out.logical_not(), images.labels);
  Side judge = SideOf(held_out, images.labels);
  if (options.classifier.multi_label) {
    KeepTwoSided(learn, judge, images.classes, left_out);
    RETURN_IF_ERROR(CheckEnough(images));
  }
  LayerMeasurement measurement = {.classes = images.classes,
                                  .training_images = learn.rows.size(0),
                                  .held_out_images = judge.rows.size(0)};
  int64_t offset = 0;
  for (const int64_t width : channels) {
    ASSIGN_OR_RETURN(
        const MeasuredLayer measured,
        MeasureLayer(images.features.narrow(1, offset, width), images.chances,
                     learn, judge, options.classifier));
    measurement.layers.push_back(measured);
    offset += width;
    if (options.on_layer) {
      options.on_layer(static_cast<int64_t>(measurement.layers.size()));
    }
  }
  assert(offset == images.features.size(1));
  return measurement;
}

}  // namespace saliency
