#include "tests/end_to_end/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/status.h"

namespace saliency {
namespace {

struct Pipe {
  int read_end = -1;
  int write_end = -1;
};

// Closed in every child but the one that it is handed to, so that its end is
// seen when that one ends.
absl::StatusOr<Pipe> MakePipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    return absl::InternalError(absl::StrCat("pipe: ", std::strerror(errno)));
  }
  return Pipe{.read_end = ends[0], .write_end = ends[1]};
}

std::vector<std::string> ChildEnvironment(
    const std::vector<std::string>& additions) {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (!absl::StartsWith(*variable, "SALIENCY_")) {
      variables.emplace_back(*variable);
    }
  }
  variables.insert(variables.end(), additions.begin(), additions.end());
  return variables;
}

// Ends in a null, as exec wants it.  Views of `texts`.
std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) {
    pointers.push_back(const_cast<char*>(text.c_str()));
  }
  pointers.push_back(nullptr);
  return pointers;
}

absl::StatusOr<pid_t> Spawn(const ChildProcess::Options& options, int out,
                            int err) {
  const std::vector<std::string> environment =
      ChildEnvironment(options.environment);
  const std::vector<char*> arguments = Pointers(options.command);
  const std::vector<char*> variables = Pointers(environment);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null",
                                   O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
  if (!options.folder.empty()) {
    posix_spawn_file_actions_addchdir_np(&actions, options.folder.c_str());
  }
  pid_t pid = 0;
  const int error = posix_spawn(&pid, arguments[0], &actions, nullptr,
                                arguments.data(), variables.data());
  posix_spawn_file_actions_destroy(&actions);
  if (error == 0) return pid;
  return absl::InternalError(absl::StrCat("cannot start ", options.command[0],
                                          ": ", std::strerror(error)));
}

// Waits for the end without giving the process id back to the system.
int ExitCodeOf(pid_t pid) {
  siginfo_t info = {};
  while (waitid(P_PID, pid, &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
  }
  constexpr int kSignalled = 128;
  return info.si_code == CLD_EXITED ? info.si_status
                                    : kSignalled + info.si_status;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ChildProcess>> ChildProcess::Start(
    const Options& options) {
  ASSIGN_OR_RETURN(const Pipe out, MakePipe());
  ASSIGN_OR_RETURN(const Pipe err, MakePipe());
  const absl::StatusOr<pid_t> pid =
      Spawn(options, out.write_end, err.write_end);
  close(out.write_end);
  close(err.write_end);
  if (!pid.ok()) {
    close(out.read_end);
    close(err.read_end);
    return pid.status();
  }
  return std::unique_ptr<ChildProcess>(
      new ChildProcess(*pid, out.read_end, err.read_end));
}

ChildProcess::ChildProcess(pid_t pid, int out, int err)
    : pid_(pid), collector_([this, out, err] { Collect(out, err); }) {}

ChildProcess::~ChildProcess() {
  Signal(SIGKILL);
  collector_.join();
  waitpid(pid_, nullptr, 0);
}

void ChildProcess::Signal(int signal) const { kill(pid_, signal); }

void ChildProcess::Collect(int out, int err) {
  std::array<pollfd, 2> ends = {
      {{.fd = out, .events = POLLIN}, {.fd = err, .events = POLLIN}}};
  int open = 2;
  while (open > 0) {
    if (poll(ends.data(), ends.size(), -1) < 0) continue;  // interrupted
    for (pollfd& end : ends) {
      if (end.fd < 0 || end.revents == 0) continue;
      char buffer[4096];
      const ssize_t count = read(end.fd, buffer, sizeof(buffer));
      if (count > 0) {
        MutexLock lock(&mu_);
        (end.fd == out ? out_ : err_).append(buffer, count);
      } else if (count == 0 || errno != EINTR) {
        close(end.fd);
        end.fd = -1;
        --open;
      }
    }
  }
  const int exit_code = ExitCodeOf(pid_);
  MutexLock lock(&mu_);
  exit_code_ = exit_code;
}

std::optional<int> ChildProcess::AwaitExit(absl::Duration timeout) {
  const auto ended = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return exit_code_.has_value();
  };
  MutexLock lock(&mu_);
  mu_.AwaitWithDeadline(absl::Condition(&ended), absl::Now() + timeout);
  return exit_code_;
}

bool ChildProcess::AwaitError(absl::string_view text, absl::Duration timeout) {
  const auto said_or_ended = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return exit_code_.has_value() || absl::StrContains(err_, text);
  };
  MutexLock lock(&mu_);
  mu_.AwaitWithDeadline(absl::Condition(&said_or_ended), absl::Now() + timeout);
  return absl::StrContains(err_, text);
}

std::string ChildProcess::out() const {
  MutexLock lock(&mu_);
  return out_;
}

std::string ChildProcess::err() const {
  MutexLock lock(&mu_);
  return err_;
}

ProgramResult RunProgram(const ChildProcess::Options& options,
                         absl::Duration timeout) {
  ProgramResult result;
  const auto process = ChildProcess::Start(options);
  if (!process.ok()) {
    result.err = std::string(process.status().message());
    return result;
  }
  result.exit_code = (*process)->AwaitExit(timeout).value_or(-1);
  result.out = (*process)->out();
  result.err = (*process)->err();
  return result;
}

}  // namespace saliency
