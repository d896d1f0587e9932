#include "server/telemetry/line_writer.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <thread>
#include <utility>

#include "absl/strings/string_view.h"
#include "core/base/mutex.h"

namespace saliency {
namespace {

constexpr absl::Duration kFarewell = absl::Seconds(1);

// Whether `fd` takes more bytes.  Asked again and again, so that the end of the
// writer is seen meanwhile.
bool AwaitWritable(int fd) {
  constexpr int kLookEveryMs = 50;
  pollfd wanted = {.fd = fd, .events = POLLOUT, .revents = 0};
  return poll(&wanted, 1, kLookEveryMs) > 0;
}

// A pipe that can be written to takes this many bytes without blocking.
constexpr size_t kPieceBytes = 4096;

}  // namespace

struct LineWriter::Shared {
  explicit Shared(int the_fd, int64_t the_max_bytes)
      : fd(the_fd), max_bytes(the_max_bytes) {}

  bool HasWork() const ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return stopping || !lines.empty();
  }
  bool IsIdle() const ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return lines.empty() && !writing;
  }
  bool IsGone() const ABSL_NO_THREAD_SAFETY_ANALYSIS { return gone; }

  bool PastEnd() ABSL_LOCKS_EXCLUDED(mu) {
    MutexLock lock(&mu);
    return stopping && absl::Now() >= end;
  }
  // Whether all of `text` has been written.
  bool Write(absl::string_view text) ABSL_LOCKS_EXCLUDED(mu);
  void Run() ABSL_LOCKS_EXCLUDED(mu);

  const int fd;
  const int64_t max_bytes;
  mutable Mutex mu;
  std::deque<std::string> lines ABSL_GUARDED_BY(mu);
  int64_t bytes ABSL_GUARDED_BY(mu) = 0;  // of lines
  bool writing ABSL_GUARDED_BY(mu) = false;
  bool stopping ABSL_GUARDED_BY(mu) = false;
  bool gone ABSL_GUARDED_BY(mu) = false;  // the thread has ended
  absl::Time end ABSL_GUARDED_BY(mu) = absl::InfiniteFuture();
  int64_t dropped ABSL_GUARDED_BY(mu) = 0;
};

bool LineWriter::Shared::Write(absl::string_view text) {
  while (!text.empty()) {
    if (!AwaitWritable(fd)) {
      if (PastEnd()) return false;
      continue;
    }
    const ssize_t count =
        write(fd, text.data(), std::min(text.size(), kPieceBytes));
    if (count >= 0) {
      text.remove_prefix(static_cast<size_t>(count));
    } else if (errno != EINTR && errno != EAGAIN) {
      return false;
    }
  }
  return true;
}

void LineWriter::Shared::Run() {
  while (true) {
    std::string line;
    {
      MutexLock lock(&mu);
      mu.Await(absl::Condition(this, &Shared::HasWork));
      if (lines.empty() || absl::Now() >= end) {
        dropped += static_cast<int64_t>(lines.size());
        lines.clear();
        gone = true;
        return;
      }
      line = std::move(lines.front());
      lines.pop_front();
      bytes -= static_cast<int64_t>(line.size());
      writing = true;
    }
    line += '\n';
    const bool written = Write(line);
    MutexLock lock(&mu);
    writing = false;
    if (!written) ++dropped;
  }
}

LineWriter::LineWriter(int fd, int64_t max_bytes)
    : shared_(std::make_shared<Shared>(fd, max_bytes)) {
  std::thread([shared = shared_] { shared->Run(); }).detach();
}

LineWriter::~LineWriter() {
  MutexLock lock(&shared_->mu);
  shared_->stopping = true;
  shared_->end = absl::Now() + kFarewell;
  // A little longer: it looks at the time now and then.
  shared_->mu.AwaitWithDeadline(absl::Condition(shared_.get(), &Shared::IsGone),
                                shared_->end + kFarewell);
}

void LineWriter::Put(std::string line, bool urgent) {
  const auto size = static_cast<int64_t>(line.size());
  MutexLock lock(&shared_->mu);
  const int64_t room = urgent ? shared_->max_bytes : shared_->max_bytes / 4 * 3;
  if (shared_->bytes + size > room) {
    ++shared_->dropped;
    return;
  }
  shared_->bytes += size;
  shared_->lines.push_back(std::move(line));
}

bool LineWriter::Flush(absl::Duration timeout) {
  MutexLock lock(&shared_->mu);
  return shared_->mu.AwaitWithDeadline(
      absl::Condition(shared_.get(), &Shared::IsIdle), absl::Now() + timeout);
}

int64_t LineWriter::dropped() const {
  MutexLock lock(&shared_->mu);
  return shared_->dropped;
}

}  // namespace saliency
