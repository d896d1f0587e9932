#include "client/cli/evaluate/identity_check_requests.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "client/cli/image_answer.h"
#include "client/default_limits.h"
#include "core/base/near_names.h"
#include "core/base/pointing_game.h"
#include "core/base/rank_correlation.h"
#include "core/base/status.h"

namespace saliency {
namespace {

// Two methods at each, for each target.
size_t LayersAtOnce(size_t categories, int64_t map_pixels) {
  const auto targets = std::max<int64_t>(static_cast<int64_t>(categories), 1);
  return std::max<int64_t>(
      1, std::min(kMaxLayers / 2, kMaxMapPixels / (2 * targets) /
                                      std::max<int64_t>(map_pixels, 1)));
}

v1::ComputeSaliencyRequest EmptyRequest(
    const std::map<std::string, CategoryBoxes>& categories,
    IdentityRequest wanted) {
  v1::ComputeSaliencyRequest request;
  for (const auto& [category, boxes] : categories) {
    request.add_targets()->set_label(category);
  }
  request.add_attributions()->set_method(kIdentityMethod);
  request.add_attributions()->set_method(kRealConvMethod);
  v1::OutputOptions& output = *request.mutable_output();
  output.set_normalise(false);
  const bool maps = wanted == IdentityRequest::kMaps;
  output.set_named_size(maps ? v1::NAMED_SIZE_LAYER : v1::NAMED_SIZE_IMAGE);
  output.set_encoding(maps ? v1::MAP_ENCODING_FLOAT32 : v1::MAP_ENCODING_NONE);
  return request;
}

std::vector<float> ValuesOf(const v1::SaliencyMap& map) {
  std::vector<float> values(map.data().size() / sizeof(float));
  std::memcpy(values.data(), map.data().data(), map.data().size());
  return values;
}

absl::Status CheckMap(const v1::SaliencyMap& map) {
  if (map.status().code() == 0) return absl::OkStatus();
  return absl::Status(static_cast<absl::StatusCode>(map.status().code()),
                      absl::StrCat(map.method(), " @ ", map.layer(), ": ",
                                   map.status().message()));
}

absl::Status CheckAnswer(const v1::ComputeSaliencyRequest& request,
                         const v1::ComputeSaliencyResponse& answer) {
  const int layers = request.attributions(0).layers_size();
  const int wanted = std::max(request.targets_size(), 1) * 2 * layers;
  if (answer.maps_size() != wanted) {
    return absl::InternalError(absl::StrCat("the answer has ",
                                            answer.maps_size(), " maps of ",
                                            wanted, " that were asked for"));
  }
  for (const v1::SaliencyMap& map : answer.maps()) {
    RETURN_IF_ERROR(CheckMap(map));
  }
  return CheckMaps(answer);
}

// The maps of one layer for one target.
struct MapPair {
  const v1::SaliencyMap& identity;
  const v1::SaliencyMap& real_conv;
};

MapPair PairOf(const v1::ComputeSaliencyRequest& request,
               const v1::ComputeSaliencyResponse& answer, int target,
               int layer) {
  const int layers = request.attributions(0).layers_size();
  const int first = target * 2 * layers + layer;
  return {answer.maps(first), answer.maps(first + layers)};
}

absl::StatusOr<std::optional<double>> CorrelationOf(const MapPair& maps) {
  if (maps.identity.height() != maps.real_conv.height() ||
      maps.identity.width() != maps.real_conv.width()) {
    return absl::InternalError(absl::StrCat(
        "the maps at ", maps.identity.layer(), " are of different sizes"));
  }
  return RankCorrelation(ValuesOf(maps.identity), ValuesOf(maps.real_conv));
}

bool Hits(const v1::SaliencyMap& map, const CategoryBoxes& boxes) {
  return PointsAt(map.point().y(), map.point().x(), boxes.boxes);
}

// The class that was explained, where the data set names none.
std::string ClassOf(const v1::SaliencyMap& map) {
  const v1::ClassScore& explained = map.explained_class();
  return explained.label().empty() ? absl::StrCat(explained.class_index())
                                   : explained.label();
}

}  // namespace

absl::StatusOr<std::vector<std::string>> IdentityLayers(
    const std::vector<std::string>& layers, const v1::GetModelResponse& model) {
  const auto method = std::find_if(
      model.methods().begin(), model.methods().end(),
      [](const v1::Method& one) { return one.name() == kRealConvMethod; });
  if (method == model.methods().end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("model ", model.model().name(),
                     " has no convolution whose output can be probed"));
  }
  const std::vector<std::string> known(method->layers().begin(),
                                       method->layers().end());
  for (const std::string& layer : layers) {
    if (std::find(known.begin(), known.end(), layer) == known.end()) {
      return absl::NotFoundError(NotFoundMessage("convolution", layer, known));
    }
  }
  return layers.empty() ? known : layers;
}

std::vector<v1::ComputeSaliencyRequest> IdentityRequests(
    const std::vector<std::string>& layers,
    const std::map<std::string, CategoryBoxes>& categories, int64_t map_pixels,
    IdentityRequest wanted) {
  const size_t layers_at_once = LayersAtOnce(categories.size(), map_pixels);
  std::vector<v1::ComputeSaliencyRequest> requests;
  for (size_t i = 0; i < layers.size(); ++i) {
    if (i % layers_at_once == 0) {
      requests.push_back(EmptyRequest(categories, wanted));
    }
    for (v1::Attribution& attribution :
         *requests.back().mutable_attributions()) {
      attribution.add_layers(layers[i]);
    }
  }
  return requests;
}

absl::StatusOr<std::vector<IdentityMeasurement>> IdentityMeasurements(
    const std::string& image,
    const std::map<std::string, CategoryBoxes>& categories,
    const v1::ComputeSaliencyRequest& request,
    const v1::ComputeSaliencyResponse& maps,
    const v1::ComputeSaliencyResponse* points) {
  RETURN_IF_ERROR(CheckAnswer(request, maps));
  if (points != nullptr) RETURN_IF_ERROR(CheckAnswer(request, *points));
  std::vector<IdentityMeasurement> measurements;
  for (int target = 0; target < std::max(request.targets_size(), 1); ++target) {
    for (int layer = 0; layer < request.attributions(0).layers_size();
         ++layer) {
      const MapPair pair = PairOf(request, maps, target, layer);
      IdentityMeasurement measured = {
          .image = image,
          .category = ClassOf(pair.identity),
          .layer = request.attributions(0).layers(layer)};
      ASSIGN_OR_RETURN(measured.correlation, CorrelationOf(pair));
      if (points != nullptr) {
        const auto& [category, boxes] = *std::next(categories.begin(), target);
        const MapPair where = PairOf(request, *points, target, layer);
        measured.category = category;
        measured.difficult = boxes.is_difficult;
        measured.hits = {.identity = Hits(where.identity, boxes),
                         .real_conv = Hits(where.real_conv, boxes)};
      }
      measurements.push_back(std::move(measured));
    }
  }
  return measurements;
}

}  // namespace saliency
