// A model repository of a test's own, removed with the test.
// Thread-compatible.

#ifndef SALIENCY_TESTS_END_TO_END_MODEL_FOLDER_H_
#define SALIENCY_TESTS_END_TO_END_MODEL_FOLDER_H_

#include <string>
#include <vector>

#include "tests/server/temporary_folder.h"

namespace saliency {

// The networks of tests/golden; each is there as "script" and as "trace".
const std::vector<std::string>& GoldenNetNames();

struct ImageSize {
  int height = 0;
  int width = 0;
};
// What a golden network was made for.
ImageSize GoldenInputSize(const std::string& net);

class ModelFolder {
 public:
  const std::string& path() const { return folder_.path(); }

  // Version 1 of model `name`: tests/golden/<net>/model_<form>.pt at its own
  // input size.  `config` is further text of config.pbtxt.
  void AddGolden(const std::string& net, const std::string& form,
                 const std::string& name, const std::string& config = "");

  // For what the above does not make.
  const TemporaryFolder& folder() const { return folder_; }

 private:
  const TemporaryFolder folder_;
};

// deploy/models: the repository with the bundled model, voc-emoji, and the
// folder of its sample images.
std::string BundledModels();
std::string SampleFolder();

}  // namespace saliency

#endif  // SALIENCY_TESTS_END_TO_END_MODEL_FOLDER_H_
