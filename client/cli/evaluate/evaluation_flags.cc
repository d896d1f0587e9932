#include "client/cli/evaluate/evaluation_flags.h"

#include <CLI/CLI.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/request_flags.h"
#include "core/base/status.h"

namespace saliency {
namespace {

// What is measured.
void AddPlanFlags(CLI::App& command, EvaluationFlags& flags,
                  const EvaluationHelp& help) {
  AddRepeatable(command, "-l,--layer", flags.layers,
                absl::StrCat("layer, shallow to deep; repeatable; default: ",
                             help.default_layers));
  if (!help.asks_methods) return;
  AddRepeatable(command, "-m,--method", flags.methods,
                "method or pair; repeatable; default: gradient, gradient_sum, "
                "linear_approximation, grad_cam, norm_grad and "
                "selective_norm_grad");
  if (help.default_joins.empty()) return;
  AddRepeatable(command, "--combination", flags.joins,
                absl::StrCat("WEIGHTING+RULE, such as linear+product; "
                             "repeatable; default: ",
                             help.default_joins));
}

}  // namespace

void AddEvaluationFlags(CLI::App& command, EvaluationFlags& flags,
                        const EvaluationHelp& help) {
  flags.has_folder = !help.folder.empty();
  if (flags.has_folder) {
    command.add_option("FOLDER", flags.folder, help.folder);
    command
        .add_option("--set", flags.set,
                    "image set: a file of ImageSets/Main without its .txt")
        ->capture_default_str();
    if (help.plain_folder) AddRecursive(command, flags.recursive);
  }
  AddPlanFlags(command, flags, help);
  command
      .add_option("-o,--out-dir", flags.out_dir,
                  "folder for the journal, tables and plots; a run that was "
                  "interrupted goes on from its journal")
      ->required();
  command
      .add_option("--shard", flags.shard,
                  "which part of the set, as INDEX/COUNT; join the parts' "
                  "folders with --merge")
      ->capture_default_str();
  AddRepeatable(command, "--merge", flags.merge,
                "out-dir of a shard: joins the journals instead of asking a "
                "server; repeatable");
  command
      .add_option("--limit", flags.limit,
                  "the first N images of the set alone; default: all")
      ->check(CLI::PositiveNumber);
  if (help.smooths) {
    command
        .add_option("--smooth", flags.smooth,
                    "Gaussian smoothing of the maps, sigma as a fraction of "
                    "the longer side; 0.02 is usual at \"input\"")
        ->check(CLI::Range(0.0, 0.5));
  }
  AddConnectionFlags(command, flags.connection);
  command
      .add_option("--concurrency", flags.concurrency,
                  "images in flight at once, for the server to batch")
      ->check(CLI::Range(1, 256))
      ->capture_default_str()
      ->group("Connection");
}

absl::StatusOr<EvaluationPlan> PlanFor(const EvaluationFlags& flags,
                                       const v1::GetModelResponse& model) {
  EvaluationPlan plan = {
      .methods = flags.methods, .layers = flags.layers, .smooth = flags.smooth};
  for (const std::string& text : flags.joins) {
    ASSIGN_OR_RETURN(const JoinKind join, ParseJoinKind(text));
    plan.joins.push_back(join);
  }
  return CompletePlan(std::move(plan), model);
}

}  // namespace saliency
