#include "client/ask_pictures.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "client/explain_report.h"
#include "client/npy.h"
#include "client/ordered_fan_out.h"

namespace saliency {

ExitCode AskAboutPictures(const ExplainPlan& plan, const ExplainFlags& flags,
                          const AskAboutPicture& ask, Console& console) {
  std::unique_ptr<NpyStack> stack;
  if (!plan.npy.empty()) {
    absl::StatusOr<std::unique_ptr<NpyStack>> created =
        NpyStack::Create(plan.npy);
    if (!created.ok()) {
      PrintError(console, absl::StrCat("--npy: ", created.status().message()));
      return kExitUsage;
    }
    stack = *std::move(created);
  }
  const int count = static_cast<int>(plan.pictures.size());
  ExplainReport report({.num_pictures = count,
                        .json = flags.connection.json,
                        .top = flags.top_k.has_value()},
                       console, std::move(stack));
  OrderedFanOut(
      count, flags.concurrency, console.interrupt,
      [&](int index, const std::shared_ptr<CancelToken>& cancel) -> FinishItem {
        auto answer = std::make_shared<const PictureAnswer>(
            ask(plan.pictures[index], cancel));
        return [&report, answer] { return report.Add(*answer); };
      });
  return report.Finish();
}

}  // namespace saliency
