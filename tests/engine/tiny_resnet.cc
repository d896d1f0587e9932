#include "tests/engine/tiny_resnet.h"

#include <random>
#include <vector>

namespace saliency {

std::shared_ptr<LoadedModel> LoadTinyResnet() {
  LoadOptions options;
  options.input_height = kTinyHeight;
  options.input_width = kTinyWidth;
  auto model = std::make_shared<LoadedModel>();
  model->name = "tiny_resnet";
  model->version = 1;
  model->config.input.height = kTinyHeight;
  model->config.input.width = kTinyWidth;
  model->config.default_layers = {"layer4"};
  model->replicas.push_back(ProbedModel::Load(SALIENCY_GOLDEN_DIR
                                              "/tiny_resnet/model_script.pt",
                                              options)
                                .value());
  return model;
}

TensorInput RandomTensor(int seed, int64_t images) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(images * 3 * kTinyHeight * kTinyWidth);
  for (float& value : values) value = normal(random);
  TensorInput input = {.shape = {images, 3, kTinyHeight, kTinyWidth}};
  input.data.assign(reinterpret_cast<const char*>(values.data()),
                    values.size() * sizeof(float));
  return input;
}

}  // namespace saliency
