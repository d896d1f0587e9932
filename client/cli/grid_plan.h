// Which layers and methods a contact sheet shows when none are named.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CLIENT_CLI_GRID_PLAN_H_
#define SALIENCY_CLIENT_CLI_GRID_PLAN_H_

#include <string>
#include <vector>

#include "saliency/v1/model_service.pb.h"

namespace saliency {

// The model's combine_layers; else the last layer of each resolution, of those
// that every path crosses where there are such, shallow to deep, the deepest
// `max_layers` of them; else its default layers.  The input and layers of a
// single pixel are left out.
std::vector<std::string> GridLayers(const v1::GetModelResponse& model,
                                    size_t max_layers = 5);

// Of gradient, linear_approximation, norm_grad, selective_norm_grad and
// grad_cam those that apply to the model.
std::vector<std::string> GridMethods(const v1::GetModelResponse& model);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_GRID_PLAN_H_
