// `saliency explain PICTURE...`: asks about each picture, several at once, and
// reports in the order given.

#include <CLI/CLI.hpp>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/commands.h"
#include "client/explain_flags.h"
#include "client/explain_report.h"
#include "client/npy.h"
#include "client/ordered_fan_out.h"
#include "client/picture_answer.h"

namespace saliency {
namespace {

ExitCode Explain(const ExplainFlags& flags, Console& console) {
  const absl::StatusOr<ExplainPlan> plan = MakeExplainPlan(flags);
  if (!plan.ok()) {
    PrintError(console, absl::StrCat(plan.status().message(),
                                     ": see saliency explain --help"));
    return kExitUsage;
  }
  const absl::StatusOr<std::unique_ptr<SaliencyClient>> client =
      Connect(flags.connection);
  if (!client.ok()) return PrintConnectError(console, client.status());
  std::unique_ptr<NpyStack> stack;
  if (!plan->npy.empty()) {
    absl::StatusOr<std::unique_ptr<NpyStack>> created =
        NpyStack::Create(plan->npy);
    if (!created.ok()) {
      PrintError(console, absl::StrCat("--npy: ", created.status().message()));
      return kExitUsage;
    }
    stack = *std::move(created);
  }
  const int count = static_cast<int>(plan->pictures.size());
  ExplainReport report({.num_pictures = count,
                        .json = flags.connection.json,
                        .top = flags.top_k.has_value()},
                       console, std::move(stack));
  OrderedFanOut(
      count, flags.concurrency, console.interrupt,
      [&](int index, const std::shared_ptr<CancelToken>& cancel) -> FinishItem {
        auto answer = std::make_shared<const PictureAnswer>(
            AnswerPicture(**client, plan->request, plan->pictures[index],
                          plan->save, cancel, console.clock));
        return [&report, answer] { return report.Add(*answer); };
      });
  return report.Finish();
}

}  // namespace

Command AddExplainCommand(CLI::App& root) {
  CLI::App* app = root.add_subcommand(
      "explain", "Explains what a model sees in one or more pictures");
  const auto flags = std::make_shared<ExplainFlags>();
  AddExplainFlags(*app, *flags);
  return {app, [flags](Console& console) { return Explain(*flags, console); }};
}

}  // namespace saliency
