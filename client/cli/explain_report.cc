#include "client/cli/explain_report.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/result_text.h"
#include "core/base/status.h"

namespace saliency {

ExplainReport::ExplainReport(Options options, Console& console,
                             std::unique_ptr<NpyStack> stack)
    : options_(options),
      console_(console),
      stack_(std::move(stack)),
      progress_(
          {.total = options.num_images, .terminal = console.err_is_terminal},
          console.err, console.clock) {}

bool ExplainReport::Add(const ImageAnswer& answer) {
  ++images_;
  progress_.Hide();
  if (answer.status.ok()) {
    AddMaps(answer);
  } else {
    AddFailed(answer);
  }
  console_.out.flush();
  progress_.Advance();
  return !stopped_ && console_.out.good();
}

ExitCode ExplainReport::Finish() {
  progress_.Hide();
  const int left = options_.num_images - images_ + cancelled_;
  tally_.failed += left;
  if (left > 0) {
    PrintError(console_,
               absl::StrCat(
                   console_.interrupt.raised() ? "interrupted: " : "stopped: ",
                   options_.num_images - left, " of ", options_.num_images,
                   " images done, the others have no answer"));
  }
  // That there is nothing to stack was reported by whatever failed.
  if (stack_ != nullptr && tally_.ok > 0) CheckStack(stack_->Commit());
  return tally_.exit_code();
}

void ExplainReport::AddMaps(const ImageAnswer& answer) {
  if (options_.top && !options_.json) console_.out << TopLine(answer) << '\n';
  for (int i = 0; i < answer.response.maps_size(); ++i) {
    const absl::Status status = answer.MapStatus(i);
    tally_.Count(status);
    if (options_.json) console_.out << ResultJson(answer, i) << '\n';
    if (answer.response.maps(i).status().code() != 0) {
      PrintError(console_, ResultLine(answer, i));
      continue;
    }
    if (!options_.json) console_.out << ResultLine(answer, i) << '\n';
    if (!status.ok()) PrintError(console_, ErrorText(status));
    const std::string& bytes = answer.files[i].bytes;
    if (!bytes.empty()) *options_.pixels << bytes << std::flush;
  }
  if (stack_ != nullptr) CheckStack(StackMaps(answer.response));
}

void ExplainReport::AddFailed(const ImageAnswer& answer) {
  if (stack_ != nullptr) CheckStack(StackMissing());
  if (absl::IsCancelled(answer.status) && console_.interrupt.raised()) {
    ++cancelled_;  // told once, in the end
    return;
  }
  tally_.Count(answer.status);
  if (options_.json) {
    console_.out << ErrorJson(answer.path, answer.status) << '\n';
  }
  if (stopped_) return;  // the same again, from calls that were under way
  stopped_ =
      ConcernsEveryItem(answer.status) || ConcernsTheRequest(answer.status);
  const std::string text = ErrorText(answer.status);
  PrintError(console_, stopped_ ? text : absl::StrCat(answer.path, ": ", text));
}

absl::Status ExplainReport::StackMaps(
    const v1::ComputeSaliencyResponse& response) {
  maps_per_image_ = response.maps_size();
  for (int i = std::exchange(missing_first_, 0); i > 0; --i) {
    RETURN_IF_ERROR(StackMissing());
  }
  for (const v1::SaliencyMap& map : response.maps()) {
    RETURN_IF_ERROR(map.status().code() == 0
                        ? stack_->Append(map.height(), map.width(), map.data())
                        : stack_->AppendMissing());
  }
  return absl::OkStatus();
}

// How many maps a failed image would have had is known from the others.
absl::Status ExplainReport::StackMissing() {
  if (maps_per_image_ == 0) ++missing_first_;
  for (int i = 0; i < maps_per_image_; ++i) {
    RETURN_IF_ERROR(stack_->AppendMissing());
  }
  return absl::OkStatus();
}

// Without the file that was asked for there is no point in going on.
void ExplainReport::CheckStack(const absl::Status& status) {
  if (status.ok()) return;
  PrintError(console_, absl::StrCat("--npy: ", ErrorText(status)));
  ++tally_.failed;
  stopped_ = true;
  stack_ = nullptr;
}

}  // namespace saliency
