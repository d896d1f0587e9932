#include "tests/server/calibration_caller.h"

#include <cmath>

#include "absl/strings/str_cat.h"

namespace saliency {

v1::CalibrationSettings FakeSettings() {
  v1::CalibrationSettings settings;
  settings.add_layers("conv");
  settings.add_layers("last");
  settings.set_data("two classes");
  return settings;
}

v1::LabelledImage FakeImage(int number, float says,
                            const std::vector<int>& classes) {
  constexpr int kPlane = 8 * 8;
  const auto noise = static_cast<float>(std::sin(37.0 * number));
  std::vector<float> values;
  for (const float value : {static_cast<float>(number), says, noise}) {
    values.insert(values.end(), kPlane, value);
  }
  v1::LabelledImage image;
  image.set_id(absl::StrCat("image", number));
  v1::Tensor* tensor = image.mutable_input()->mutable_tensor();
  for (const int size : {3, 8, 8}) tensor->add_shape(size);
  tensor->set_data(reinterpret_cast<const char*>(values.data()),
                   values.size() * sizeof(float));
  for (const int of_class : classes) {
    image.add_classes()->set_class_index(of_class);
  }
  return image;
}

std::vector<std::string> CalibrationOutcome::layers() const {
  std::vector<std::string> lines;
  for (const v1::LayerCalibration& layer : result.layer_weights().layers()) {
    lines.push_back(absl::StrCat(layer.layer(), " ", layer.feature_spread(),
                                 " ", layer.classification_accuracy()));
  }
  return lines;
}

bool CalibrationCaller::Send(const v1::CalibrationSettings& settings) {
  v1::CalibrateLayerWeightsRequest request;
  *request.mutable_settings() = settings;
  return stream_->Write(request);
}

bool CalibrationCaller::Send(const v1::LabelledImage& image) {
  v1::CalibrateLayerWeightsRequest request;
  *request.mutable_image() = image;
  ++images_;
  return stream_->Write(request);
}

bool CalibrationCaller::SendEnd(int64_t images) {
  v1::CalibrateLayerWeightsRequest request;
  request.mutable_end()->set_images(images);
  return stream_->Write(request);
}

void CalibrationCaller::SendTwoClasses(int of_each) {
  for (int i = 0; i < 2 * of_each; ++i) {
    Send(FakeImage(i, i % 2 == 0 ? 1.0F : -1.0F, {i % 2}));
  }
}

CalibrationOutcome CalibrationCaller::Finish() {
  SendEnd(images_);
  return BreakOff();
}

CalibrationOutcome CalibrationCaller::BreakOff() {
  stream_->WritesDone();
  return ReadToTheEnd();
}

CalibrationOutcome CalibrationCaller::ReadToTheEnd() {
  listener_.join();
  outcome_.status = stream_->Finish();
  return outcome_;
}

void CalibrationCaller::Listen() {
  v1::CalibrateLayerWeightsResponse response;
  while (stream_->Read(&response)) {
    if (response.has_rejected()) {
      outcome_.rejected[response.rejected().id()] =
          response.rejected().status();
    } else if (response.has_progress()) {
      outcome_.progress.push_back(response.progress());
    } else {
      outcome_.result = response.result();
    }
  }
}

}  // namespace saliency
