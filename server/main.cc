// saliency-server: prepares the process and serves until it is told to stop.

#include <ATen/Parallel.h>
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>
#include <variant>

#include "core/base/cpu_limit.h"
#include "core/base/heap.h"
#include "server/options.h"
#include "server/process_limits.h"
#include "server/server_process.h"
#include "server/stop_signal.h"
#include "server/telemetry/library_logs.h"
#include "server/telemetry/log.h"
#include "server/transport/file_descriptor.h"

namespace saliency {
namespace {

// gRPC's, OpenMP's, and ours but for those that options say how many.
constexpr int kOtherThreads = 24;

int Main(int argc, char** argv) {
  auto parsed = ParseCommandLine({argv + 1, argv + argc});
  if (const auto* exit = std::get_if<CommandLineExit>(&parsed)) {
    std::fputs(exit->output.c_str(), exit->code == 0 ? stdout : stderr);
    return exit->code;
  }
  const auto& options = std::get<ServerOptions>(parsed);
  // First: all that follows starts threads.
  const absl::Status threads =
      CheckThreads(options.cpu_threads + options.torch_threads + kOtherThreads);
  if (!threads.ok()) {
    Log log(options.log_format, options.log_level, [](const std::string& line) {
      std::fprintf(stderr, "%s\n", line.c_str());
    });
    log.Error("cannot start", {{"error", threads.message()}});
    return kStartFailed;
  }
  ShowCpus(AvailableCpus());
  KeepFreedMemory();
  BlockTerminationSignals();
  static StopSignal stop;  // outlives the thread that waits for signals
  HandleTerminationSignals(stop);
  // Debian's LibTorch starts with one thread and knows no cgroup.
  at::set_num_threads(options.torch_threads);
  std::signal(SIGPIPE, SIG_IGN);  // a reader of our output that has gone
  const FileDescriptor real_stderr(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3));
  Log log({.format = options.log_format,
           .level = options.log_level,
           .lines_per_second = options.log_lines_per_second},
          real_stderr.get());
  const LibraryMessages library_messages(log);
  const auto stderr_reader = StderrReader::Start(log, real_stderr.get());
  if (!stderr_reader.ok()) {
    log.Error("cannot start", {{"error", stderr_reader.status().message()}});
    return kStartFailed;
  }
  return ServerProcess(options, log, stop).Run();
}

}  // namespace
}  // namespace saliency

int main(int argc, char** argv) { return saliency::Main(argc, argv); }
