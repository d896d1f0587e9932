#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <ctime>
#include <string>

#include "absl/strings/string_view.h"
#include "server/telemetry/library_logs.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SALIENCY_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SALIENCY_SANITIZED 1
#endif
#endif

namespace saliency {
namespace {

constexpr size_t kMaxLineBytes = 4096;
constexpr std::array kFatalSignals = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};

// For the signal handler.
std::atomic<int> g_pipe_end = -1;
std::atomic<int> g_real_stderr = -1;

// What the process said last is still in the pipe, or with the threads that
// read it and write it down.  Async-signal-safe.
extern "C" void PassLastWordsOn(int signal) {
  constexpr timespec kMoment = {.tv_sec = 0, .tv_nsec = 100'000'000};
  nanosleep(&kMoment, nullptr);
  char bytes[1024];
  ssize_t count = 0;
  while ((count = read(g_pipe_end, bytes, sizeof(bytes))) > 0) {
    if (write(g_real_stderr, bytes, static_cast<size_t>(count)) < 0) break;
  }
  std::raise(signal);  // by now with its default effect
}

void SetFatalSignals(void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_NODEFER);
  for (const int signal : kFatalSignals) sigaction(signal, &action, nullptr);
}

// Takes whole lines, and pieces of those that are too long, out of `text`.
void TellLines(std::string& text, bool all, Log& log) {
  while (!text.empty()) {
    size_t end = text.find('\n');
    const bool whole = end != std::string::npos;
    if (!whole && !all && text.size() < kMaxLineBytes) return;
    if (!whole) end = text.size();
    absl::string_view line = absl::string_view(text).substr(0, end);
    if (!line.empty()) log.Warning("stderr", {{"text", line}});
    text.erase(0, whole ? end + 1 : end);
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<StderrReader>> StderrReader::Start(
    Log& log, int real_stderr) {
#ifdef SALIENCY_SANITIZED
  return nullptr;  // their reports go there, and the process ends at once
#endif
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    return absl::UnavailableError("no file descriptor is left for stderr");
  }
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  dup2(ends[1], STDERR_FILENO);
  close(ends[1]);
  return std::unique_ptr<StderrReader>(
      new StderrReader(log, real_stderr, ends[0]));
}

StderrReader::StderrReader(Log& log, int real_stderr, int pipe_end)
    : log_(log),
      real_stderr_(real_stderr),
      pipe_end_(pipe_end),
      thread_([this] { Run(); }) {
  g_pipe_end = pipe_end_;
  g_real_stderr = real_stderr_;
  SetFatalSignals(&PassLastWordsOn);
}

StderrReader::~StderrReader() {
  SetFatalSignals(SIG_DFL);
  // Closes the last way into the pipe, whose end the thread then sees.
  dup2(real_stderr_, STDERR_FILENO);
  thread_.join();
  close(pipe_end_);
}

void StderrReader::Run() {
  std::string text;
  char bytes[4096];
  while (true) {
    pollfd wanted = {.fd = pipe_end_, .events = POLLIN, .revents = 0};
    if (poll(&wanted, 1, -1) <= 0) continue;
    const ssize_t count = read(pipe_end_, bytes, sizeof(bytes));
    if (count == 0) break;
    if (count < 0) continue;
    text.append(bytes, static_cast<size_t>(count));
    TellLines(text, /*all=*/false, log_);
  }
  TellLines(text, /*all=*/true, log_);
}

}  // namespace saliency
