// What `saliency explain` makes of the answers as they come, in order: prints
// them, stacks their maps, counts what failed, says when to stop.

#ifndef SALIENCY_CLIENT_CLI_EXPLAIN_REPORT_H_
#define SALIENCY_CLIENT_CLI_EXPLAIN_REPORT_H_

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "client/cli/console.h"
#include "client/cli/image_answer.h"
#include "client/cli/npy.h"
#include "client/cli/progress.h"

namespace saliency {

// Thread-compatible.
class ExplainReport {
 public:
  struct Options {
    int num_images = 0;
    bool json = false;
    bool top = false;                // print the likeliest classes
    std::ostream* pixels = nullptr;  // for files that go to standard output
  };

  // `console` outlives this; `stack` may be null.
  ExplainReport(Options options, Console& console,
                std::unique_ptr<NpyStack> stack);

  // Returns whether it makes sense to go on with further images.
  bool Add(const ImageAnswer& answer);

  // How far images are that have no answer yet, all together.
  void ShowSamples(int64_t done, int64_t of) {
    progress_.ShowSamples(done, of);
  }

  // After the last one: puts the stacked file in its place and tells what was
  // left out.
  ExitCode Finish();

 private:
  void AddMaps(const ImageAnswer& answer);
  void AddFailed(const ImageAnswer& answer);
  absl::Status StackMaps(const v1::ComputeSaliencyResponse& response);
  absl::Status StackMissing();
  void CheckStack(const absl::Status& status);

  const Options options_;
  Console& console_;
  std::unique_ptr<NpyStack> stack_;
  Progress progress_;
  Tally tally_;
  int images_ = 0;     // answered, well or not
  int cancelled_ = 0;  // of these, by the interrupt
  int maps_per_image_ = 0;
  int missing_first_ = 0;  // images that failed before the first good one
  bool stopped_ = false;
};

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_EXPLAIN_REPORT_H_
