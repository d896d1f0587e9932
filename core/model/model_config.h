// How a model wants its images and how its answer is to be read: the plain
// form of config.pbtxt (saliency.v1.ModelConfig), with the defaults that a
// folder with nothing but 1/model.pt gets.
// Value types; thread-compatible.

#ifndef SALIENCY_CORE_MODEL_MODEL_CONFIG_H_
#define SALIENCY_CORE_MODEL_MODEL_CONFIG_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "core/base/input_config.h"

namespace saliency {

// What turns outputs into probabilities, as declared (output_meaning.h says
// what becomes of it).
enum class OutputActivation {
  kDefault,     // as found; else softmax, or sigmoid of a single output
  kSoftmax,     // outputs are logits of classes that exclude each other
  kSigmoid,     // outputs are logits of classes that do not
  kNone,        // nothing: outputs are shown as they are
  kRegression,  // outputs are plain values, whatever they look like
};
enum class Precision { kFp32, kBf16, kFp16 };

struct InstanceConfig {
  std::string device = "cpu";  // "cpu", "cuda:0", ...
  int count = 1;               // replicas on it
};

struct BatchConfig {
  int max_rows = 16;         // rows (image x target) per pass
  absl::Duration max_delay;  // how long an idle worker waits for company
};

// Which of the versions that are there are served; all by default.
struct VersionChoice {
  int latest = 0;             // > 0: this many with the highest numbers
  std::vector<int64_t> only;  // not empty: these
};

struct ModelConfig {
  std::string name;  // as the file says; empty: it says none
  VersionChoice versions;
  // What the file asks for and does not get; for the log.
  std::vector<std::string> notes;
  InputConfig input;
  // Which output holds the logits: a position in a tuple or list, or the key of
  // a dict; the first tensor when neither is given.
  std::optional<int> output_index;
  std::string output_key;
  OutputActivation activation = OutputActivation::kDefault;
  std::vector<std::string> default_layers;  // single maps; empty: the last
                                            // spatial layer
  std::vector<std::string> combine_layers;  // shallow to deep
  std::vector<InstanceConfig> instances = {InstanceConfig()};
  Precision precision = Precision::kFp32;
  BatchConfig batching;
  std::string sha256;  // hex digest of model.pt; empty: not checked
  bool warm_up = true;
  bool required = true;  // overall health waits for this model
};

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_MODEL_CONFIG_H_
