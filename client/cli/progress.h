// How far a long command is: a bar on a terminal, else a plain line now and
// then.  Nothing when there is only one item, but on a terminal the samples
// that it takes.

#ifndef SALIENCY_CLIENT_CLI_PROGRESS_H_
#define SALIENCY_CLIENT_CLI_PROGRESS_H_

#include <cstdint>
#include <ostream>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/base/clock.h"

namespace saliency {

// "12/100 images, 3.4/s, 26s left".  Pure; any thread.
std::string ProgressText(int64_t done, int64_t total, absl::string_view noun,
                         absl::Duration elapsed);

// Thread-compatible.
class Progress {
 public:
  struct Options {
    int total = 0;
    std::string noun = "images";
    bool terminal = false;  // a bar that is drawn over
  };

  // `err` and `clock` outlive this.
  Progress(Options options, std::ostream& err, Clock& clock);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Takes the bar away so that lines can be printed; Advance() draws it again.
  void Hide();
  // One more item is done.
  void Advance();
  // How many samples of the items under way are done, of how many; 0 of 0:
  // there are none.
  void ShowSamples(int64_t done, int64_t of);

 private:
  void Draw();

  const Options options_;
  std::ostream& err_;
  Clock& clock_;
  const absl::Time start_;
  absl::Time last_shown_;
  int done_ = 0;
  int64_t samples_done_ = 0;
  int64_t samples_ = 0;
  bool visible_ = false;
};

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_PROGRESS_H_
