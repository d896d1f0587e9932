#include "client/cli/progress_reporter.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace saliency {

void ProgressReporter::Stage::AdvanceTo(int64_t reached) {
  if (!bar_) bar_.emplace(options_, console_.err, console_.clock);
  for (; done_ < std::min<int64_t>(reached, options_.total); ++done_) {
    bar_->Advance();
  }
}

void ProgressReporter::Stage::Hide() {
  if (bar_) bar_->Hide();
}

ProgressReporter::ProgressReporter(int images, int layers, Console& console)
    : console_(console),
      images_({.total = images, .terminal = console.err_is_terminal}, console),
      layers_({.total = layers,
               .noun = "layers",
               .terminal = console.err_is_terminal},
              console) {
  MutexLock lock(&mu_);
  images_.AdvanceTo(0);  // its time begins now
}

void ProgressReporter::Fail(const std::string& name, const absl::Status& why) {
  ++failed_;
  images_.Hide();
  PrintError(console_, absl::StrCat(name, ": ", ErrorText(why)));
}

void ProgressReporter::Miss(const std::string& name, const absl::Status& why) {
  MutexLock lock(&mu_);
  ++unsent_;
  Fail(name, why);
}

void ProgressReporter::Skip() {
  MutexLock lock(&mu_);
  ++unsent_;
  ++skipped_;
}

void ProgressReporter::Hear(const v1::CalibrateLayerWeightsResponse& news) {
  MutexLock lock(&mu_);
  if (news.has_rejected()) {
    const v1::ResultStatus& status = news.rejected().status();
    return Fail(
        news.rejected().id(),
        {static_cast<absl::StatusCode>(status.code()), status.message()});
  }
  const v1::CalibrationProgress& progress = news.progress();
  if (progress.phase() == v1::CalibrationProgress::PHASE_FEATURES) {
    images_.AdvanceTo(progress.done() + unsent_);
    if (images_.is_over()) layers_.AdvanceTo(0);  // whose time begins now
  } else {
    images_.Hide();
    layers_.AdvanceTo(progress.done());
  }
}

void ProgressReporter::Hide() {
  MutexLock lock(&mu_);
  images_.Hide();
  layers_.Hide();
}

int ProgressReporter::failed() const {
  MutexLock lock(&mu_);
  return failed_;
}

int ProgressReporter::skipped() const {
  MutexLock lock(&mu_);
  return skipped_;
}

}  // namespace saliency
