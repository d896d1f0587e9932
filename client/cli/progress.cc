#include "client/cli/progress.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace saliency {
namespace {

constexpr int kBarCells = 30;
constexpr absl::Duration kPlainEvery = absl::Seconds(5);

}  // namespace

std::string ProgressText(int done, int total, absl::string_view noun,
                         absl::Duration elapsed) {
  std::string text = absl::StrCat(done, "/", total, " ", noun);
  const double seconds = absl::ToDoubleSeconds(elapsed);
  if (done == 0 || seconds <= 0) return text;
  absl::StrAppendFormat(&text, ", %.1f/s", done / seconds);
  if (done < total) {
    const double left = (total - done) * seconds / done;
    absl::StrAppend(
        &text, ", ",
        absl::FormatDuration(absl::Ceil(absl::Seconds(left), absl::Seconds(1))),
        " left");
  }
  return text;
}

Progress::Progress(Options options, std::ostream& err, Clock& clock)
    : options_(std::move(options)),
      err_(err),
      clock_(clock),
      start_(clock.Now()),
      last_shown_(start_) {}

Progress::~Progress() { Hide(); }

void Progress::Hide() {
  if (!visible_) return;
  err_ << "\r\x1b[K" << std::flush;
  visible_ = false;
}

void Progress::Advance() {
  ++done_;
  if (options_.total <= 1) return;
  if (options_.terminal) {
    Draw();
    return;
  }
  const absl::Time now = clock_.Now();
  if (now - last_shown_ < kPlainEvery && done_ < options_.total) return;
  last_shown_ = now;
  err_ << ProgressText(done_, options_.total, options_.noun, now - start_)
       << std::endl;
}

void Progress::Draw() {
  const int filled = static_cast<int>(static_cast<int64_t>(kBarCells) * done_ /
                                      options_.total);
  err_ << "\r\x1b[K[" << std::string(filled, '#')
       << std::string(kBarCells - filled, '.') << "] "
       << ProgressText(done_, options_.total, options_.noun,
                       clock_.Now() - start_)
       << std::flush;
  visible_ = true;
}

}  // namespace saliency
