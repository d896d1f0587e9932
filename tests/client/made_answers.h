// Answers made up for the client's tests: maps that are ramps, of a model that
// is not there.
// Pure functions; safe from any thread.

#ifndef SALIENCY_TESTS_CLIENT_MADE_ANSWERS_H_
#define SALIENCY_TESTS_CLIENT_MADE_ANSWERS_H_

#include <string>
#include <vector>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/status.h"
#include "saliency/v1/model_service.pb.h"
#include "saliency/v1/saliency_service.pb.h"

namespace saliency {

// What a server with no room says: when to ask again.
google::rpc::RetryInfo RetryInfoOf(int delay_ms);

// RESOURCE_EXHAUSTED "busy" as the server ends a call with it: push-back in the
// trailing metadata and, unless it is negative, RetryInfo in the details.
grpc::Status PushBack(grpc::ServerContext& context, int delay_ms);

// INVALID_ARGUMENT "field: description", with BadRequest in the details.
grpc::Status InvalidField(const std::string& field,
                          const std::string& description);

// The ramp that the fake answers with: 0 at the first pixel, 1 at the last.
std::string RampMap(int height, int width);

// One ramp for each target, attribution and layer ("layer4" when none is
// named), at the size asked for; INVALID_ARGUMENT for bytes that are no
// image.  Class 281, "tabby".
grpc::Status AnswerWithRamps(const v1::ComputeSaliencyRequest& request,
                             v1::ComputeSaliencyResponse& response);

// One ramp for each target and combination, of the layers named ("layer1" and
// "layer2" when none is), the first of which is constant; then, when asked for,
// one for each target and layer of the first combination.
grpc::Status CombineRamps(const v1::CombineLayersRequest& request,
                          v1::CombineLayersResponse& response);

// A pair of ramps for each target, attribution and layer, the plain one only
// when asked for.  Correlations, when asked for, are -0.25, but for every
// second map, whose is undefined.
grpc::Status StepRamps(const v1::MetaSaliencyRequest& request,
                       v1::MetaSaliencyResponse& response);

// Stages "", "fc" and "layer1" with correlations 1, 0.5 and none (of absolute
// values 1, 0.75 and none), and ramps.
grpc::Status RampsOfStages(
    const v1::MeasureWeightSensitivityRequest& request,
    std::vector<v1::MeasureWeightSensitivityResponse>& stages);

// A model of three classes and four layers, "tiny", calibrated at two.
v1::GetModelResponse TinyModel();

// What is known of a model that is being loaded, "slow".
v1::GetModelResponse LoadingModel();

// TinyModel, and one that is no TorchScript file, "broken".
v1::ListModelsResponse TinyAndBroken();

// What measuring its weights gives: 70 images for training and 30 held out.
v1::CalibrationResult TinyCalibration();

}  // namespace saliency

#endif  // SALIENCY_TESTS_CLIENT_MADE_ANSWERS_H_
