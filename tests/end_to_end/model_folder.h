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

  // A copy of a model of deploy/models, without its samples.
  void AddBundled(const std::string& name);

  // For what the above does not make.
  const TemporaryFolder& folder() const { return folder_; }

 private:
  const TemporaryFolder folder_;
};

// The folder of the sample images of a model of deploy/models.
std::string SampleFolder(const std::string& model = "voc-emoji");

}  // namespace saliency

#endif  // SALIENCY_TESTS_END_TO_END_MODEL_FOLDER_H_
