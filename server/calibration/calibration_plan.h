// What a calibration was asked for, understood: settings and labelled images
// from the wire, and what is found back onto it.
// Pure functions; safe from any thread.

#ifndef SALIENCY_SERVER_CALIBRATION_CALIBRATION_PLAN_H_
#define SALIENCY_SERVER_CALIBRATION_CALIBRATION_PLAN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/attribution/class_sample.h"
#include "core/attribution/measure_layers.h"
#include "core/engine/engine_limits.h"
#include "core/engine/job.h"
#include "core/engine/model_table.h"
#include "core/model/layer_weights.h"
#include "saliency/v1/model_service.pb.h"

namespace saliency {

struct CalibrationPlan {
  ModelVersion model;               // ready
  std::vector<std::string> layers;  // spatial, shallow to deep
  std::vector<int64_t> channels;    // of each
  bool multi_label = false;
  uint64_t seed = 0;
  int64_t per_class = 200;
  double held_out = 0.3;
  double l2_penalty = 1e-3;
  std::string data;
};

// REQUIRES: `model` is ready.
// Errors: INVALID_ARGUMENT naming the field, the value and the limit; NOT_FOUND
//   a layer, with near names.
absl::StatusOr<CalibrationPlan> PlanCalibration(
    const v1::CalibrationSettings& settings, ModelVersion model,
    const EngineLimits& limits);

struct CalibrationImage {
  JobInput input;
  ImageClasses classes;
};

// Errors: INVALID_ARGUMENT naming the field, the value and the limit, or near
//   labels.
absl::StatusOr<CalibrationImage> ImageFromProto(const v1::LabelledImage& image,
                                                const CalibrationPlan& plan,
                                                const EngineLimits& limits);

// What is stored with the model.
LayerWeights WeightsFrom(const LayerMeasurement& measurement,
                         const CalibrationPlan& plan, absl::Time now);

// An image's name, fit for an answer.
std::string ImageName(const v1::LabelledImage& image);

v1::CalibrateLayerWeightsResponse ProgressMessage(
    v1::CalibrationProgress::Phase phase, int64_t done, int64_t total);
v1::CalibrateLayerWeightsResponse RejectionMessage(absl::string_view id,
                                                   const absl::Status& status);

// `stored` is fit for callers.
v1::CalibrateLayerWeightsResponse ResultMessage(
    const CalibrationPlan& plan, const LayerMeasurement& measurement,
    const std::vector<LeftOutClass>& left_out, const LayerWeights& weights,
    const absl::Status& stored);

}  // namespace saliency

#endif  // SALIENCY_SERVER_CALIBRATION_CALIBRATION_PLAN_H_
