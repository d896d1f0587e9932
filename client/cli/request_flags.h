// What is asked about an image: the flags that `explain` and `grid` share.

#ifndef SALIENCY_CLIENT_CLI_REQUEST_FLAGS_H_
#define SALIENCY_CLIENT_CLI_REQUEST_FLAGS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/connection_flags.h"
#include "saliency/v1/saliency_service.pb.h"

namespace CLI {
class App;
}  // namespace CLI

namespace saliency {

// As typed.
struct RequestFlags {
  std::vector<std::string> methods;
  std::vector<std::string> pairs;
  std::vector<std::string> layers;
  std::vector<std::string> targets;
  std::string score = "logit";
  float smooth = 0;
  std::string colour_map;
};

// `flags` outlives `command`.
void AddRequestFlags(CLI::App& command, RequestFlags& flags);

// A flag that may be given several times, with one value each, so that what
// follows the value is not swallowed.  `values` outlives `command`.
void AddRepeatable(CLI::App& command, const std::string& name,
                   std::vector<std::string>& values,
                   const std::string& description);

// -r: what is in the folders below a folder too.  `recursive` outlives
// `command`.
void AddRecursive(CLI::App& command, bool& recursive);

// Every method, then every pair, each at every layer; norm_grad when none is
// named.  Without input and size.
// Errors: INVALID_ARGUMENT naming what cannot be understood.
absl::StatusOr<v1::ComputeSaliencyRequest> MakeRequest(
    const RequestFlags& flags, const ConnectionFlags& connection);

// What a request for maps and another request with the same fields have in
// common: all but the input and what is made.
template <typename Request>
void CopyRequestFields(const v1::ComputeSaliencyRequest& from,
                       Request& request) {
  if (from.has_model()) *request.mutable_model() = from.model();
  *request.mutable_targets() = from.targets();
  request.set_score(from.score());
  *request.mutable_output() = from.output();
  if (from.has_top_k()) request.set_top_k(from.top_k());
}

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_REQUEST_FLAGS_H_
