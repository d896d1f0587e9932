#include "client/cli/request_flags.h"

#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/request_text.h"
#include "core/base/status.h"
#include "core/image/render.h"

namespace saliency {

void AddRepeatable(CLI::App& command, const std::string& name,
                   std::vector<std::string>& values,
                   const std::string& description) {
  command.add_option(name, values, description)
      ->allow_extra_args(false)
      ->take_all();
}

void AddRecursive(CLI::App& command, bool& recursive) {
  command.add_flag("-r,--recursive", recursive,
                   "of a folder the images in the folders below it too");
}

void AddRequestFlags(CLI::App& command, RequestFlags& flags) {
  AddRepeatable(command, "-m,--method", flags.methods,
                "method, such as norm_grad or grad_cam, one with parameters, "
                "such as smooth_grad(of=norm_grad,samples=20), "
                "noise_level=, seed= or integrated_gradients(steps=100,"
                "baseline=mean), or a pair such as conv1x1+norm; repeatable");
  AddRepeatable(command, "--pair", flags.pairs,
                "EXTRACT+AGGREGATE, such as conv1x1+norm; repeatable");
  AddRepeatable(command, "-l,--layer", flags.layers,
                "layer, such as layer4 or input; repeatable");
  AddRepeatable(command, "-t,--target", flags.targets,
                "class: index, label, label:TEXT, top (predicted, the "
                "default), top:N (N places below it), bottom, bottom:N; "
                "with further classes between blanks, \"dog - cat\" or "
                "\"dog + 0.5 cat\", the difference or sum of their scores; "
                "repeatable");
  command
      .add_option("--score", flags.score,
                  "what of the class is differentiated: logit, softmax, "
                  "log_softmax, sigmoid, log_sigmoid, scalar_output")
      ->capture_default_str();
  command
      .add_option("--smooth", flags.smooth,
                  "Gaussian smoothing, sigma as a fraction of the longer "
                  "side; 0.02 is usual at layer input")
      ->check(CLI::Range(0.0, 0.5));
  command.add_option(
      "--colour-map", flags.colour_map,
      absl::StrCat(absl::StrJoin(ColourMapNames(), ", "),
                   "; default: inferno, or coolwarm around 0 for signed maps"));
}

absl::StatusOr<v1::ComputeSaliencyRequest> MakeRequest(
    const RequestFlags& flags, const ConnectionFlags& connection) {
  v1::ComputeSaliencyRequest request;
  *request.mutable_model() = ModelOf(connection);
  for (const std::string& text : flags.targets) {
    ASSIGN_OR_RETURN(*request.add_targets(), ParseTarget(text));
  }
  for (const std::string& text : flags.methods) {
    ASSIGN_OR_RETURN(*request.add_attributions(), ParseMethod(text));
  }
  for (const std::string& text : flags.pairs) {
    ASSIGN_OR_RETURN(*request.add_attributions()->mutable_pair(),
                     ParsePair(text));
  }
  if (request.attributions().empty()) {
    request.add_attributions()->set_method("norm_grad");
  }
  for (v1::Attribution& attribution : *request.mutable_attributions()) {
    attribution.mutable_layers()->Add(flags.layers.begin(), flags.layers.end());
  }
  ASSIGN_OR_RETURN(const v1::Score score, ParseScore(flags.score));
  request.set_score(score);
  request.mutable_output()->set_smooth_sigma(flags.smooth);
  if (!flags.colour_map.empty()) {
    const absl::Status known = CheckColourMap(flags.colour_map);
    if (!known.ok()) return Annotate(known, "--colour-map");
  }
  return request;
}

}  // namespace saliency
