#include "tests/client/evaluated_model.h"

#include <string>

namespace saliency {

v1::GetModelResponse EvaluatedModel() {
  v1::GetModelResponse model;
  for (const char* layer : {"layer1", "layer2"}) {
    model.mutable_config()->add_combine_layers(layer);
  }
  for (const char* method : {"cam", "gradient", "norm_grad"}) {
    model.add_methods()->set_name(method);
  }
  return model;
}

v1::GetModelResponse CalibratedModel() {
  v1::GetModelResponse model = EvaluatedModel();
  for (const char* layer : {"layer2", "layer1"}) {
    v1::LayerCalibration* found = model.mutable_layer_weights()->add_layers();
    found->set_layer(layer);
    found->set_feature_spread(std::string(layer) == "layer1" ? 1 : 3);
    found->set_classification_accuracy(0.5);
  }
  return model;
}

}  // namespace saliency
