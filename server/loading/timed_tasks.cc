#include "server/loading/timed_tasks.h"

#include <algorithm>
#include <thread>
#include <utility>

namespace saliency {

TimedTasks::TimedTasks(const Options& options, Clock& clock)
    : options_(options), clock_(clock), registry_(std::make_shared<Board>()) {}

void TimedTasks::Stop() {
  MutexLock lock(&registry_->mu);
  registry_->stopping = true;
}

bool TimedTasks::Run(std::vector<TimedTask> tasks) {
  std::size_t next = 0;
  News news = Await(absl::InfinitePast());
  while (true) {
    TakeEnded(std::move(news.ended), tasks);
    GiveUpOverdue(tasks);
    while (!news.stopping && next < tasks.size() &&
           InTime() < options_.at_once) {
      Start(next, tasks[next]);
      ++next;
    }
    if (running_.empty()) return true;
    if (news.stopping && InTime() == 0) return false;
    news = Await(NextOverrun());
  }
}

void TimedTasks::Start(std::size_t task, const TimedTask& what) {
  running_.push_back({.task = task, .since = clock_.Now()});
  std::thread([registry = registry_, task, work = what.work]() mutable {
    std::function<void()> use_result = work();
    work = nullptr;
    MutexLock lock(&registry->mu);
    registry->ended.push_back({task, std::move(use_result)});
  }).detach();
}

TimedTasks::News TimedTasks::Await(absl::Time deadline) {
  MutexLock lock(&registry_->mu);
  clock_.AwaitWithDeadline(&registry_->mu,
                           absl::Condition(registry_.get(), &Board::HasNews),
                           deadline);
  registry_->stop_seen = registry_->stopping;
  return {.ended = std::exchange(registry_->ended, {}),
          .stopping = registry_->stopping};
}

absl::Time TimedTasks::NextOverrun() const {
  absl::Time next = absl::InfiniteFuture();
  if (options_.limit <= absl::ZeroDuration()) return next;
  for (const Running& task : running_) {
    if (!task.given_up) next = std::min(next, task.since + options_.limit);
  }
  return next;
}

void TimedTasks::TakeEnded(std::list<Board::Ended> ended,
                           const std::vector<TimedTask>& tasks) {
  for (const Board::Ended& end : ended) {
    const auto it = std::find_if(
        running_.begin(), running_.end(),
        [&](const Running& task) { return task.task == end.task; });
    const Running task = *it;
    running_.erase(it);
    if (task.given_up) {
      tasks[task.task].ended_late(clock_.Now() - task.since);
    } else {
      end.use_result();
    }
  }
}

void TimedTasks::GiveUpOverdue(const std::vector<TimedTask>& tasks) {
  if (options_.limit <= absl::ZeroDuration()) return;
  for (Running& task : running_) {
    if (task.given_up || clock_.Now() < task.since + options_.limit) continue;
    task.given_up = true;
    tasks[task.task].give_up();
  }
}

int TimedTasks::InTime() const {
  return static_cast<int>(
      std::count_if(running_.begin(), running_.end(),
                    [](const Running& task) { return !task.given_up; }));
}

}  // namespace saliency
