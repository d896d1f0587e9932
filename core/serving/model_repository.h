// The model repository on disk, laid out as Triton users know it:
//
//   <repository>/<model>/config.pbtxt         optional
//   <repository>/<model>/labels.txt           optional
//   <repository>/<model>/<version>/model.pt   version: a positive integer
//   <repository>/<model>/<version>/layer_weights.pbtxt       optional
//
// Reading a folder says what is there; it loads no model.  Nothing outside the
// repository is ever opened: a link that leaves it is refused.
// Pure functions of the file system; safe from any thread.

#ifndef SALIENCY_CORE_SERVING_MODEL_REPOSITORY_H_
#define SALIENCY_CORE_SERVING_MODEL_REPOSITORY_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/model/model_config.h"

namespace saliency {

// Reads the text of a config.pbtxt.
using ParseModelConfig =
    std::function<absl::StatusOr<ModelConfig>(const std::string& text)>;

// One version folder.
struct RepositoryVersion {
  int64_t version = 0;  // >= 1
  // Why it cannot be loaded: no model.pt, a link that leaves the repository, a
  // layer_weights.pbtxt that cannot be read.
  absl::Status status;
  std::string model_file;  // absolute; for opening, never for messages
  // What layer_weights.pbtxt holds; none: there is no such file.
  std::optional<std::string> layer_weights;
};

// One model folder.
struct RepositoryModel {
  std::string name;
  // Why no version of it can be loaded: a bad config.pbtxt or labels.txt, named
  // in the message with its field or line.
  absl::Status status;
  ModelConfig config;
  std::vector<std::string> labels;          // by class index; may be empty
  std::vector<RepositoryVersion> versions;  // ascending, at least one
};

struct RepositoryContents {
  std::vector<RepositoryModel> models;  // by name
  // Entries that are no models, each with the reason; for the log.
  std::vector<std::string> ignored;
};

// Errors: NOT_FOUND `root` is no readable folder.
absl::StatusOr<RepositoryContents> ScanRepository(
    const std::string& root, const ParseModelConfig& parse_config);

// Whether `name` matches [A-Za-z0-9_.-]{1,64} and is neither "." nor "..".
bool IsModelName(absl::string_view name);

// One label for each line (text_lines.h) without the blanks around it; empty
// lines at the end are none.
// Errors: INVALID_ARGUMENT no label at all, an empty line or one that is no
//   UTF-8, by number, a file in another encoding, or JSON.
absl::StatusOr<std::vector<std::string>> ParseLabels(absl::string_view text);

}  // namespace saliency

#endif  // SALIENCY_CORE_SERVING_MODEL_REPOSITORY_H_
