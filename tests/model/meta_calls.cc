#include "tests/model/meta_calls.h"

#include <ATen/ATen.h>

#include <limits>
#include <utility>

namespace saliency {
namespace {

enum class Kind { kUnknownClass, kUnknownLayer, kNan, kNoMemory, kGood };

Kind KindOf(int number) {
  switch (number) {
    case 0:
      return Kind::kUnknownClass;
    case 1:
      return Kind::kUnknownLayer;
    case 2:
      return Kind::kNan;
    case 3:
    case 4:
      return Kind::kNoMemory;
    default:
      return Kind::kGood;
  }
}

}  // namespace

MetaCalls::MetaCalls(ProbedModel& model, at::Tensor images)
    : model_(model), images_(std::move(images)) {
  for (const LayerInfo& layer : model.layers()) {
    if (layer.spatial()) layers_.push_back(layer.name);
  }
}

ProbeRow MetaCalls::RandomRow() {
  ProbeRow row;
  const auto classes = static_cast<int>(model_.num_classes());
  if (Random(2) == 0) {
    row.target = ClassIndex{Random(classes)};
  } else {
    row.target = RankFromBottom{Random(classes)};
  }
  row.meta = MetaStep{
      Random(4) * 1e-3,
      Random(2) == 0 ? MetaDirection::kDescent : MetaDirection::kAscent,
      Random(2) == 0 ? MetaLoss::kCrossEntropy : MetaLoss::kBinaryCrossEntropy};
  return row;
}

ProbeRequest MetaCalls::RandomRequest() {
  ProbeRequest request;
  const int images = 1 + Random(static_cast<int>(images_.size(0)));
  request.input = images_.slice(0, 0, images).clone();
  for (int image = 0; image < images; ++image) {
    for (int row = 0; row <= Random(2); ++row) {
      request.rows.push_back(RandomRow());
      request.rows.back().image = image;
    }
  }
  request.probes = {{layers_[Random(static_cast<int>(layers_.size()))]}};
  return request;
}

bool MetaCalls::Make() {
  const Kind kind = KindOf(Random(10));
  ProbeRequest request = RandomRequest();
  if (kind == Kind::kUnknownClass) {
    request.rows.back().target = ClassIndex{model_.num_classes()};
  } else if (kind == Kind::kUnknownLayer) {
    request.probes[0].layer = "nowhere";
  } else if (kind == Kind::kNan) {
    request.input[0].fill_(std::numeric_limits<float>::quiet_NaN());
  } else if (kind == Kind::kNoMemory) {
    // Not much fewer than a call takes: some get through.
    memory_.FailAfter(Random(400));
  }
  const absl::StatusCode end = model_.Run(request).status().code();
  memory_.FailAfter(-1);
  ++ends_[end];
  switch (kind) {
    case Kind::kUnknownClass:
      return end == absl::StatusCode::kInvalidArgument;
    case Kind::kUnknownLayer:
      return end == absl::StatusCode::kNotFound;
    case Kind::kNoMemory:
      return end == absl::StatusCode::kOk ||
             end == absl::StatusCode::kResourceExhausted;
    case Kind::kNan:
    case Kind::kGood:
      return end == absl::StatusCode::kOk;
  }
  return false;
}

ProbeResult MetaCalls::Yardstick() {
  ProbeRequest request;
  request.input = images_;
  for (int64_t image = 0; image < images_.size(0); ++image) {
    request.rows.push_back(
        {.image = image, .target = ClassIndex{0}, .meta = MetaStep()});
  }
  request.probes = {{layers_.back()}};
  return model_.Run(request).value();
}

}  // namespace saliency
