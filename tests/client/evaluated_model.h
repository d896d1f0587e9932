// What the server says of a model that evaluations are planned for.
// Pure functions; safe from any thread.

#ifndef SALIENCY_TESTS_CLIENT_EVALUATED_MODEL_H_
#define SALIENCY_TESTS_CLIENT_EVALUATED_MODEL_H_

#include "saliency/v1/model_service.pb.h"

namespace saliency {

// Layers "layer1" and "layer2" and methods "cam", "gradient" and "norm_grad";
// nothing is calibrated.
v1::GetModelResponse EvaluatedModel();

// The same with a feature spread of 1 at "layer1" and 3 at "layer2", and an
// accuracy of 0.5 at both.
v1::GetModelResponse CalibratedModel();

}  // namespace saliency

#endif  // SALIENCY_TESTS_CLIENT_EVALUATED_MODEL_H_
