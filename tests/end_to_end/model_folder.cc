#include "tests/end_to_end/model_folder.h"

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"

namespace saliency {

const std::vector<std::string>& GoldenNetNames() {
  static const auto* const names =
      new std::vector<std::string>{"tiny_dense", "tiny_mobilenet",
                                   "tiny_resnet", "tiny_squeeze", "tiny_vgg"};
  return *names;
}

ImageSize GoldenInputSize(const std::string& net) {
  std::ifstream file(
      absl::StrCat(SALIENCY_GOLDEN_DIR, "/", net, "/manifest.json"));
  const auto shape = nlohmann::json::parse(file)["input_shape"];
  return {.height = shape[2], .width = shape[3]};
}

void ModelFolder::AddGolden(const std::string& net, const std::string& form,
                            const std::string& name,
                            const std::string& config) {
  const ImageSize size = GoldenInputSize(net);
  folder_.Write(absl::StrCat(name, "/config.pbtxt"),
                absl::StrCat("input { height: ", size.height,
                             " width: ", size.width, " }\n", config));
  const std::string version = folder_ / absl::StrCat(name, "/1");
  std::filesystem::create_directories(version);
  std::filesystem::copy_file(
      absl::StrCat(SALIENCY_GOLDEN_DIR, "/", net, "/model_", form, ".pt"),
      version + "/model.pt");
}

void ModelFolder::AddBundled(const std::string& name) {
  const std::string from = absl::StrCat(SALIENCY_MODELS_DIR, "/", name);
  const std::string to = folder_ / name;
  std::filesystem::create_directories(to + "/1");
  for (const char* file : {"config.pbtxt", "labels.txt", "1/model.pt"}) {
    std::filesystem::copy_file(absl::StrCat(from, "/", file),
                               absl::StrCat(to, "/", file));
  }
}

std::string SampleFolder(const std::string& model) {
  return absl::StrCat(SALIENCY_MODELS_DIR, "/", model, "/samples");
}

}  // namespace saliency
