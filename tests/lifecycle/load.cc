#include "tests/lifecycle/load.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace saliency {

Load::Load(const Options& options, Call call)
    : options_(options), call_(std::move(call)), working_(options.callers) {
  for (int i = 0; i < options.callers; ++i) {
    threads_.emplace_back([this] { Run(); });
  }
}

Load::~Load() { Stop(); }

void Load::Run() {
  bool failed = false;
  while (!stopping() && !(failed && options_.until_failure)) {
    const absl::Status status = call_();
    failed = !status.ok();
    MutexLock lock(&mu_);
    ok_ += failed ? 0 : 1;
    ++outcomes_[status.ok()
                    ? "OK"
                    : absl::StrCat(absl::StatusCodeToString(status.code()),
                                   ": ", status.message())];
  }
  MutexLock lock(&mu_);
  --working_;
}

bool Load::AwaitOk(int64_t more) {
  MutexLock lock(&mu_);
  const int64_t wanted = ok_ + more;
  const auto over = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return ok_ >= wanted || working_ == 0;
  };
  mu_.Await(absl::Condition(&over));
  return ok_ >= wanted;
}

void Load::Stop() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
  }
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

bool Load::stopping() const {
  MutexLock lock(&mu_);
  return stopping_;
}

std::map<std::string, int64_t> Load::outcomes() const {
  MutexLock lock(&mu_);
  return outcomes_;
}

int64_t Load::ok() const {
  MutexLock lock(&mu_);
  return ok_;
}

}  // namespace saliency
