// What `saliency combine` was told, and what follows from it.

#ifndef SALIENCY_CLIENT_CLI_COMBINE_FLAGS_H_
#define SALIENCY_CLIENT_CLI_COMBINE_FLAGS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/explain_flags.h"
#include "saliency/v1/saliency_service.pb.h"

namespace CLI {
class App;
}  // namespace CLI

namespace saliency {

// As typed.
struct CombineFlags {
  ExplainFlags explain;  // images, request, output, connection
  std::vector<std::string> weightings;
  std::vector<std::string> rules;
  std::vector<std::string> weights;  // "layer4=0.5"
  bool layer_maps = false;
};

// `flags` outlives `command`.
void AddCombineFlags(CLI::App& command, CombineFlags& flags);

// Checked and understood.
struct CombinePlan {
  v1::CombineLayersRequest request;  // without the image
  ExplainPlan explain;               // images and what is saved
};

// Every method by every weighting by every rule, at the layers named.
// Otherwise as MakeExplainPlan.
absl::StatusOr<CombinePlan> MakeCombinePlan(const CombineFlags& flags,
                                            std::istream& input);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_COMBINE_FLAGS_H_
