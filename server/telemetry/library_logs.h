// What libraries say goes to our log, as fields of its lines: text that a
// stranger had a hand in forges none, and every line on stderr is ours.
//
// gRPC and libprotobuf hand their messages over; OpenCV, libpng, LibTorch and
// all others write to stderr, which is read here.
// Thread-safe.

#ifndef SALIENCY_SERVER_TELEMETRY_LIBRARY_LOGS_H_
#define SALIENCY_SERVER_TELEMETRY_LIBRARY_LOGS_H_

#include <memory>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/telemetry/log.h"

namespace saliency {

// From here to the end of this, gRPC's and libprotobuf's messages go to `log`,
// which outlives it.  One at a time.
class LibraryMessages {
 public:
  explicit LibraryMessages(Log& log);
  ~LibraryMessages();
  LibraryMessages(const LibraryMessages&) = delete;
  LibraryMessages& operator=(const LibraryMessages&) = delete;
};

// From here to the end of this, what the process writes to file descriptor 2
// goes to `log`, which outlives this and writes elsewhere (`real_stderr`).  One
// at a time.  Last words before the process is aborted go to `real_stderr` as
// they are.
class StderrReader {
 public:
  // Null in a build with sanitizers, whose reports stay on stderr.
  // Errors: UNAVAILABLE no file descriptor is left.
  static absl::StatusOr<std::unique_ptr<StderrReader>> Start(Log& log,
                                                             int real_stderr);
  ~StderrReader();
  StderrReader(const StderrReader&) = delete;
  StderrReader& operator=(const StderrReader&) = delete;

 private:
  StderrReader(Log& log, int real_stderr, int pipe_end);

  void Run();

  Log& log_;
  const int real_stderr_;
  const int pipe_end_;
  std::thread thread_;  // last: uses all of the above
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_TELEMETRY_LIBRARY_LOGS_H_
