// What `saliency calibrate` tells while it runs: how far it is, and which
// images are of no use.
// Thread-safe.

#ifndef SALIENCY_CLIENT_CLI_PROGRESS_REPORTER_H_
#define SALIENCY_CLIENT_CLI_PROGRESS_REPORTER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "client/cli/console.h"
#include "client/cli/progress.h"
#include "core/base/mutex.h"
#include "saliency/v1/model_service.pb.h"

namespace saliency {

class ProgressReporter {
 public:
  // `console` outlives this, and is this one's until then.
  ProgressReporter(int images, int layers, Console& console);

  // An image that cannot be sent.
  void Miss(const std::string& name, const absl::Status& why)
      ABSL_LOCKS_EXCLUDED(mu_);
  // An image that shows nothing for certain, and is no failure.
  void Skip() ABSL_LOCKS_EXCLUDED(mu_);
  // What the server says: progress or a rejected image.
  void Hear(const v1::CalibrateLayerWeightsResponse& news)
      ABSL_LOCKS_EXCLUDED(mu_);
  // Takes the bar away.
  void Hide() ABSL_LOCKS_EXCLUDED(mu_);

  int failed() const ABSL_LOCKS_EXCLUDED(mu_);
  int skipped() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // What is counted, with a bar from the first of it on.
  class Stage {
   public:
    // As Progress.
    Stage(Progress::Options options, Console& console)
        : options_(std::move(options)), console_(console) {}

    void AdvanceTo(int64_t reached);
    bool is_over() const { return done_ >= options_.total; }
    void Hide();

   private:
    const Progress::Options options_;
    Console& console_;
    std::optional<Progress> bar_;
    int64_t done_ = 0;
  };

  void Fail(const std::string& name, const absl::Status& why)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable Mutex mu_;
  Console& console_ ABSL_GUARDED_BY(mu_);
  Stage images_ ABSL_GUARDED_BY(mu_);
  Stage layers_ ABSL_GUARDED_BY(mu_);
  int failed_ ABSL_GUARDED_BY(mu_) = 0;
  int skipped_ ABSL_GUARDED_BY(mu_) = 0;
  int unsent_ ABSL_GUARDED_BY(mu_) = 0;  // what the server does not know of
};

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_PROGRESS_REPORTER_H_
