#include "server/periodic.h"

#include <utility>

namespace saliency {

Periodic::Periodic(Clock& clock, absl::Duration period,
                   std::function<void()> work)
    : clock_(clock),
      period_(period),
      work_(std::move(work)),
      thread_([this] { Run(); }) {}

Periodic::~Periodic() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
  }
  thread_.join();
}

void Periodic::Run() {
  while (Wait()) work_();
}

bool Periodic::Wait() {
  MutexLock lock(&mu_);
  return !clock_.AwaitWithDeadline(&mu_, absl::Condition(&stopping_),
                                   clock_.Now() + period_);
}

}  // namespace saliency
