#include "client/cli/progress.h"

#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace saliency {
namespace {

constexpr int kBarCells = 30;
constexpr absl::Duration kPlainEvery = absl::Seconds(5);

}  // namespace

std::string ProgressText(int64_t done, int64_t total, absl::string_view noun,
                         absl::Duration elapsed) {
  std::string text = absl::StrCat(done, "/", total, " ", noun);
  const double seconds = absl::ToDoubleSeconds(elapsed);
  if (done == 0 || seconds <= 0) return text;
  const double each = seconds / static_cast<double>(done);
  absl::StrAppendFormat(&text, ", %.1f/s", 1 / each);
  if (done < total) {
    const double left = static_cast<double>(total - done) * each;
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

void Progress::ShowSamples(int64_t done, int64_t of) {
  samples_done_ = done;
  samples_ = of;
  if (options_.terminal && of > 0) Draw();
}

void Progress::Draw() {
  const bool one = options_.total <= 1;
  const int64_t done = one ? samples_done_ : done_;
  const int64_t total = one ? samples_ : options_.total;
  const auto filled = static_cast<std::size_t>(kBarCells * done / total);
  err_ << "\r\x1b[K[" << std::string(filled, '#')
       << std::string(kBarCells - filled, '.') << "] "
       << ProgressText(done, total, one ? "samples" : options_.noun,
                       clock_.Now() - start_);
  if (!one && samples_ > 0) {
    err_ << "; " << samples_done_ << "/" << samples_ << " samples";
  }
  err_ << std::flush;
  visible_ = true;
}

}  // namespace saliency
