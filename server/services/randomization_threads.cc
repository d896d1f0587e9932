#include "server/services/randomization_threads.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/engine/run/tensor_threads.h"
#include "server/convert/refusal_reason.h"

namespace saliency {
namespace {

constexpr int kNiceness = 10;

// Linux keeps a priority for each thread.  That it cannot be lowered is no
// reason not to work.
void GiveWay() {
  setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), kNiceness);
  UseTensorThreads(1);
}

}  // namespace

absl::Status RandomizationThreads::Start(std::function<void()> work,
                                         std::function<void()> after) {
  {
    MutexLock lock(&mu_);
    if (running_ >= limit_) {
      return StudiesFullError(
          absl::StrCat(running_, " calls that copy a model are running (limit ",
                       limit_, ")"));
    }
    ++running_;
  }
  threads_.Start([this, work = std::move(work), after = std::move(after)] {
    GiveWay();
    work();
    Leave();
    after();
  });
  return absl::OkStatus();
}

void RandomizationThreads::Leave() {
  MutexLock lock(&mu_);
  --running_;
}

}  // namespace saliency
