#include "server/transport/stall_watch.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace saliency {

StallWatch::StallWatch(Clock& clock, Log& log, Options options)
    : clock_(clock),
      log_(log),
      options_(std::move(options)),
      thread_([this] { Run(); }) {}

StallWatch::~StallWatch() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
  }
  thread_.join();
}

int64_t StallWatch::Begin(grpc_call* call, const std::string& request_id) {
  grpc_call_ref(call);
  Waiting waiting = {.call = std::unique_ptr<grpc_call, Unref>(call),
                     .request_id = request_id,
                     .deadline = absl::InfiniteFuture()};
  MutexLock lock(&mu_);
  waiting.deadline = clock_.Now() + options_.timeout;
  const int64_t ticket = ++last_ticket_;
  waiting_.emplace_hint(waiting_.end(), ticket, std::move(waiting));
  return ticket;
}

bool StallWatch::End(int64_t ticket) {
  // Outlives the lock: what it holds is let go under none.
  std::map<int64_t, Waiting>::node_type ended;
  MutexLock lock(&mu_);
  ended = waiting_.extract(ticket);
  return !ended.empty();
}

void StallWatch::Run() {
  std::vector<Waiting> overdue;
  while (true) {
    {
      MutexLock lock(&mu_);
      // What begins meanwhile is due later than this: nobody need wake us.
      const absl::Time wake = waiting_.empty()
                                  ? clock_.Now() + options_.timeout
                                  : waiting_.begin()->second.deadline;
      if (clock_.AwaitWithDeadline(&mu_, absl::Condition(&stopping_), wake)) {
        return;
      }
      const absl::Time now = clock_.Now();
      while (!waiting_.empty() && waiting_.begin()->second.deadline <= now) {
        overdue.push_back(
            std::move(waiting_.extract(waiting_.begin()).mapped()));
      }
    }
    for (const Waiting& waiting : overdue) Cancel(waiting);
    overdue.clear();
  }
}

void StallWatch::Cancel(const Waiting& waiting) {
  const std::string after = absl::FormatDuration(options_.timeout);
  log_.Warning(absl::StrCat(options_.what, ": cancelled"),
               {{"request_id", waiting.request_id}, {"after", after}});
  const std::string reason = absl::StrCat(options_.what, " within ", after);
  grpc_call_cancel_with_status(waiting.call.get(), options_.code,
                               reason.c_str(), nullptr);
}

}  // namespace saliency
