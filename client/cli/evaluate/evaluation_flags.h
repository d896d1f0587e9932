// What every `saliency evaluate MEASURE FOLDER` is told.

#ifndef SALIENCY_CLIENT_CLI_EVALUATE_EVALUATION_FLAGS_H_
#define SALIENCY_CLIENT_CLI_EVALUATE_EVALUATION_FLAGS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/connection_flags.h"
#include "client/cli/evaluate/evaluation_plan.h"

namespace CLI {
class App;
}  // namespace CLI

namespace saliency {

// As typed.
struct EvaluationFlags {
  ConnectionFlags connection;
  std::string folder;
  std::string set = "test";
  std::vector<std::string> methods;
  std::vector<std::string> layers;
  std::vector<std::string> joins;
  std::string out_dir;
  std::string shard = "0/1";
  std::vector<std::string> merge;
  int limit = 0;
  double smooth = 0;  // sigma as a fraction of a map's longer side
  int concurrency = 8;
  bool recursive = false;  // of a plain folder those below it as well
  bool has_folder = true;  // false: items come from elsewhere
};

// What the help says where measures differ.
struct EvaluationHelp {
  std::string folder;  // empty: there is no FOLDER, and no --set
  std::string default_layers = "the model's combine layers";
  std::string default_joins;  // empty: no combinations
  bool asks_methods = true;   // false: no methods, and no combinations of them
  bool smooths = false;       // takes --smooth
  bool plain_folder = false;  // FOLDER need not be laid out as VOC's
};

// `flags` outlives `command`.
void AddEvaluationFlags(CLI::App& command, EvaluationFlags& flags,
                        const EvaluationHelp& help);

// Methods, layers and joins as typed, completed for the model.
// Errors: INVALID_ARGUMENT as ParseJoinKind and CompletePlan.
absl::StatusOr<EvaluationPlan> PlanFor(const EvaluationFlags& flags,
                                       const v1::GetModelResponse& model);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_EVALUATE_EVALUATION_FLAGS_H_
