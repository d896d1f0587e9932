// `saliency combine PICTURE...`: the maps of several layers as one.

#include <CLI/CLI.hpp>
#include <memory>

#include "absl/strings/str_cat.h"
#include "client/ask_pictures.h"
#include "client/combine_flags.h"
#include "client/commands.h"

namespace saliency {
namespace {

ExitCode Combine(const CombineFlags& flags, Console& console) {
  const absl::StatusOr<CombinePlan> plan = MakeCombinePlan(flags);
  if (!plan.ok()) {
    PrintError(console, absl::StrCat(plan.status().message(),
                                     ": see saliency combine --help"));
    return kExitUsage;
  }
  const absl::StatusOr<std::unique_ptr<SaliencyClient>> client =
      Connect(flags.explain.connection);
  if (!client.ok()) return PrintConnectError(console, client.status());
  if (flags.explain.stream) {
    v1::StreamSaliencyRequest question;
    *question.mutable_combine() = plan->request;
    return StreamPictures(plan->explain, flags.explain, **client, question,
                          console);
  }
  return AskAboutPictures(
      plan->explain, flags.explain,
      [&](const PictureFile& file, const std::shared_ptr<CancelToken>& cancel) {
        return AnswerPicture(**client, plan->request, file, plan->explain.save,
                             cancel, console.clock);
      },
      console);
}

}  // namespace

Command AddCombineCommand(CLI::App& root) {
  CLI::App* app = root.add_subcommand(
      "combine", "Joins what a model sees at several layers into one map");
  const auto flags = std::make_shared<CombineFlags>();
  AddCombineFlags(*app, *flags);
  app->footer(
      "Default layers: the model's combine_layers. Every method is combined by "
      "every weighting and every rule. --raw concerns the maps of "
      "--layer-maps; a combined map is never stretched, but for its overlay.");
  return {app, [flags](Console& console) { return Combine(*flags, console); }};
}

}  // namespace saliency
