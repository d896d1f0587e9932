#include "core/image/colour_map.h"

#include <cmath>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/near_names.h"
#include "core/base/status.h"
#include "core/image/render.h"

namespace saliency {
namespace {

// Perceptually ordered tables that OpenCV has.
std::optional<cv::ColormapTypes> OpenCvTable(absl::string_view name) {
  if (name.empty() || name == "inferno") return cv::COLORMAP_INFERNO;
  if (name == "viridis") return cv::COLORMAP_VIRIDIS;
  if (name == "magma") return cv::COLORMAP_MAGMA;
  if (name == "turbo") return cv::COLORMAP_TURBO;
  return std::nullopt;
}

absl::StatusOr<ColourMap> FromOpenCv(cv::ColormapTypes table) {
  ColourMap map;
  RETURN_IF_ERROR(CatchAsStatus("building a colour map", [&] {
    cv::Mat levels(1, 256, CV_8UC1);
    for (int i = 0; i < 256; ++i) {
      levels.at<uint8_t>(i) = static_cast<uint8_t>(i);
    }
    cv::Mat bgr;
    cv::applyColorMap(levels, bgr, table);
    for (int i = 0; i < 256; ++i) {
      const auto& colour = bgr.at<cv::Vec3b>(i);
      map.colours[i] = {colour[2], colour[1], colour[0]};
    }
    return absl::OkStatus();
  }));
  return map;
}

ColourMap Grey() {
  ColourMap map;
  for (int i = 0; i < 256; ++i) map.colours[i].fill(static_cast<uint8_t>(i));
  return map;
}

// Blue below, near-white in the middle, red above; both arms equally dark at
// their ends, linear between the anchors.
ColourMap CoolWarm() {
  constexpr int kArm = 2;  // anchors on either side of the middle
  constexpr double kAnchors[2 * kArm + 1][3] = {{38, 70, 165},
                                                {118, 158, 218},
                                                {238, 238, 238},
                                                {230, 142, 112},
                                                {163, 21, 42}};
  ColourMap map{.diverges = true};
  for (int i = 0; i < 256; ++i) {
    const double at = i / 255.0 * 2 * kArm;
    const int below = i == 255 ? 2 * kArm - 1 : static_cast<int>(at);
    const double share = at - below;
    for (int c = 0; c < 3; ++c) {
      const double value =
          (1 - share) * kAnchors[below][c] + share * kAnchors[below + 1][c];
      map.colours[i][c] = static_cast<uint8_t>(std::lround(value));
    }
  }
  return map;
}

}  // namespace

absl::Span<const std::string> ColourMapNames() {
  static const auto* names = new std::vector<std::string>{
      "inferno", "viridis", "magma", "turbo", "grey", "coolwarm"};
  return *names;
}

absl::Status CheckColourMap(absl::string_view name) {
  if (name.empty() || absl::c_linear_search(ColourMapNames(), name)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "\"", Printable(name),
      "\" is unknown; known: ", absl::StrJoin(ColourMapNames(), ", ")));
}

absl::StatusOr<ColourMap> MakeColourMap(absl::string_view name) {
  RETURN_IF_ERROR(CheckColourMap(name));
  if (const std::optional<cv::ColormapTypes> table = OpenCvTable(name)) {
    return FromOpenCv(*table);
  }
  return name == "grey" ? Grey() : CoolWarm();
}

absl::StatusOr<ColourMap> ColourMapFor(absl::string_view name, bool is_signed) {
  return MakeColourMap(name.empty() && is_signed ? "coolwarm" : name);
}

Rgb ColourAt(const ColourMap& map, double place) {
  const double level = map.diverges ? 0.5 + place / 2 : std::abs(place);
  return map.colours[ColourLevel(static_cast<float>(level))];
}

}  // namespace saliency
