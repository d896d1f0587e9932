// The contact sheet of a cascade: one image and one class, methods and layers
// down, stages across (the shape of the paper's Fig. 13).
// Pure function; safe from any thread.

#ifndef SALIENCY_CLIENT_CLI_EVALUATE_WEIGHT_SENSITIVITY_SHEET_H_
#define SALIENCY_CLIENT_CLI_EVALUATE_WEIGHT_SENSITIVITY_SHEET_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "saliency/v1/saliency_service.pb.h"

namespace saliency {

struct CascadeSheet {
  std::string image;                                         // the file's bytes
  std::string name;                                          // for the heading
  std::vector<v1::MeasureWeightSensitivityResponse> stages;  // from stage 0
  int target = 0;  // which of them is shown
};

// A PNG; each cell is the map over the image, or why there is none.
// Errors: as DecodeImage; INTERNAL stages of different shapes, or maps
//   without pixels.
absl::StatusOr<std::string> CascadeSheetPng(const CascadeSheet& sheet);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_EVALUATE_WEIGHT_SENSITIVITY_SHEET_H_
