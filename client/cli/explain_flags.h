// What `saliency explain` was told, and what follows from it.

#ifndef SALIENCY_CLIENT_CLI_EXPLAIN_FLAGS_H_
#define SALIENCY_CLIENT_CLI_EXPLAIN_FLAGS_H_

#include <istream>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/connection_flags.h"
#include "client/cli/image_answer.h"
#include "client/cli/image_files.h"
#include "client/cli/request_flags.h"
#include "saliency/v1/saliency_service.pb.h"

namespace CLI {
class App;
}  // namespace CLI

namespace saliency {

// As typed.
struct ExplainFlags {
  ConnectionFlags connection;
  RequestFlags request;
  std::vector<std::string> images;
  bool recursive = false;
  std::string overlay;
  std::string npy;
  std::string out_dir;
  std::vector<std::string> save;
  std::string size = "image";
  int max_side = 1600;  // pixels; 0: none.  Of the size "image"
  bool raw = false;
  std::optional<int> top_k;
  std::optional<int> concurrency;
  bool stream = false;

  // Images in flight at once.
  int window() const { return concurrency.value_or(stream ? 32 : 4); }
};

// `flags` outlives `command`.
void AddExplainFlags(CLI::App& command, ExplainFlags& flags);

// How many maps each target and attribution gets: one where the default layers
// are asked for, of which the server knows.
int LayersOfEach(const ExplainFlags& flags);

// Checked and understood.
struct ExplainPlan {
  v1::ComputeSaliencyRequest request;  // without the image
  std::vector<ImageFile> images;
  SavePlan save;
  std::string npy;  // empty: none
};

// Whether standard output gets a file's bytes, so that words go elsewhere.
bool WritesPixelsToOutput(const ExplainFlags& flags);

// `results` is how many maps each image has for each target and attribution.
// Reads no image but the one on `input`, when that is asked for, looks which
// there are, and makes the out-dir.
// Errors: INVALID_ARGUMENT or NOT_FOUND naming the flag; all are the caller's
//   usage.
absl::StatusOr<ExplainPlan> MakeExplainPlan(const ExplainFlags& flags,
                                            int results, std::istream& input);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_EXPLAIN_FLAGS_H_
