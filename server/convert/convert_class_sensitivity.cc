#include "server/convert/convert_class_sensitivity.h"

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "core/base/correlation_summary.h"
#include "server/convert/convert_answer.h"
#include "server/convert/convert_meta.h"
#include "server/convert/public_status.h"

namespace saliency {
namespace {

const MapResult& MapOf(const MapResult& result) { return result; }
const MapResult& MapOf(const CombinedResult& result) { return result.map; }

void FillMeasurement(const MapResult& most, const MapResult& least,
                     std::optional<double> correlation,
                     absl::string_view request_id, v1::ClassSensitivity* out) {
  const absl::Status status =
      PublicStatus(most.status.ok() ? least.status : most.status, request_id);
  ToProto(status, out->mutable_status());
  out->set_image(most.image);
  out->set_attribution(most.attribution);
  out->set_method(most.method);
  out->set_layer(most.layer);
  if (!status.ok()) return;
  ToProto(most.explained, out->mutable_most_likely());
  ToProto(least.explained, out->mutable_least_likely());
  if (correlation.has_value()) out->set_correlation(*correlation);
}

void FillSummary(const MapResult& names,
                 const std::vector<std::optional<double>>& correlations,
                 v1::ClassSensitivitySummary* out) {
  const CorrelationSummary summary = SummariseCorrelations(correlations);
  out->set_attribution(names.attribution);
  out->set_method(names.method);
  out->set_layer(names.layer);
  out->set_mean(summary.mean);
  out->set_standard_deviation(summary.standard_deviation);
  out->set_count(summary.count);
  out->set_undefined(summary.undefined);
}

// What was measured of each image: `results` are image-major with two rows
// each, `correlations` image-major.
template <typename Result>
struct Measured {
  const std::vector<Result>& results;
  const std::vector<std::optional<double>>& correlations;
  std::size_t images;

  std::size_t of_each() const { return correlations.size() / images; }

  void AddImage(std::size_t image, absl::string_view request_id,
                v1::MeasureClassSensitivityResponse* response) const {
    for (std::size_t i = 0; i < of_each(); ++i) {
      const std::size_t most = 2 * image * of_each() + i;
      FillMeasurement(MapOf(results[most]), MapOf(results[most + of_each()]),
                      correlations[image * of_each() + i], request_id,
                      response->add_measurements());
    }
  }

  void AddSummaries(v1::MeasureClassSensitivityResponse* response) const {
    for (std::size_t i = 0; i < of_each(); ++i) {
      std::vector<std::optional<double>> of_images;
      for (std::size_t image = 0; image < images; ++image) {
        of_images.push_back(correlations[image * of_each() + i]);
      }
      FillSummary(MapOf(results[i]), of_images, response->add_summaries());
    }
  }
};

}  // namespace

Job JobFromProto(const v1::MeasureClassSensitivityRequest& request,
                 const EngineLimits& limits, Violations& found) {
  Job job;
  FillModel(request, job, found);
  if (request.score() == v1::SCORE_SCALAR_OUTPUT) {
    found.Add(absl::InvalidArgumentError(
        "score SCALAR_OUTPUT has no classes to compare"));
    job.score = Score::kLogit;
  }
  FillMaps(request, limits, job, found);
  if (request.has_step()) job.meta = StepFromProto(request.step(), found);
  job.targets = {RankFromTop{}, RankFromBottom{}};
  job.correlate = Correlate::kTargets;
  job.output = {.size = OutputSize::kModelInput,
                .normalise = false,
                .encoding = MapEncoding::kNone};
  return job;
}

void ToProto(Explanation&& explanation, absl::string_view request_id,
             v1::MeasureClassSensitivityResponse* response) {
  ToProto(explanation, response->mutable_summary());
  const std::size_t images = explanation.images.size();
  const Measured<MapResult> layers = {explanation.results,
                                      explanation.correlations, images};
  const Measured<CombinedResult> combined = {
      explanation.combined, explanation.combined_correlations, images};
  for (std::size_t image = 0; image < images; ++image) {
    layers.AddImage(image, request_id, response);
    combined.AddImage(image, request_id, response);
  }
  layers.AddSummaries(response);
  combined.AddSummaries(response);
}

}  // namespace saliency
