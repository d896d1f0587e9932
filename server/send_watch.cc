#include "server/send_watch.h"

#include <utility>
#include <vector>

namespace saliency {

SendWatch::SendWatch(Clock& clock, Log& log, absl::Duration timeout)
    : clock_(clock), log_(log), timeout_(timeout), thread_([this] { Run(); }) {}

SendWatch::~SendWatch() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
  }
  thread_.join();
}

int64_t SendWatch::Begin(grpc_call* call, const std::string& request_id) {
  grpc_call_ref(call);
  Sending sending = {.call = std::unique_ptr<grpc_call, Unref>(call),
                     .request_id = request_id,
                     .deadline = absl::InfiniteFuture()};
  MutexLock lock(&mu_);
  sending.deadline = clock_.Now() + timeout_;
  const int64_t ticket = ++last_ticket_;
  sending_.emplace_hint(sending_.end(), ticket, std::move(sending));
  return ticket;
}

void SendWatch::End(int64_t ticket) {
  // Outlives the lock: what it holds is let go under none.
  std::map<int64_t, Sending>::node_type ended;
  MutexLock lock(&mu_);
  ended = sending_.extract(ticket);
}

void SendWatch::Run() {
  std::vector<Sending> overdue;
  while (true) {
    {
      MutexLock lock(&mu_);
      // What begins meanwhile is due later than this: nobody need wake us.
      const absl::Time wake = sending_.empty()
                                  ? clock_.Now() + timeout_
                                  : sending_.begin()->second.deadline;
      if (clock_.AwaitWithDeadline(&mu_, absl::Condition(&stopping_), wake)) {
        return;
      }
      const absl::Time now = clock_.Now();
      while (!sending_.empty() && sending_.begin()->second.deadline <= now) {
        overdue.push_back(
            std::move(sending_.extract(sending_.begin()).mapped()));
      }
    }
    for (const Sending& sending : overdue) Cancel(sending);
    overdue.clear();
  }
}

void SendWatch::Cancel(const Sending& sending) {
  log_.Warning("the caller does not take its answer: cancelled",
               {{"request_id", sending.request_id},
                {"after", absl::FormatDuration(timeout_)}});
  grpc_call_cancel(sending.call.get(), nullptr);
}

}  // namespace saliency
