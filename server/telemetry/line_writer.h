// Lines on their way to a file descriptor, written by a thread of their own: no
// other thread ever waits for whoever reads them.  What waits to be written is
// bounded; beyond that lines are dropped and counted.
// Thread-safe.

#ifndef SALIENCY_SERVER_TELEMETRY_LINE_WRITER_H_
#define SALIENCY_SERVER_TELEMETRY_LINE_WRITER_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/time/time.h"

namespace saliency {

class LineWriter {
 public:
  // `fd` stays open for as long as this lives.  At most `max_bytes` (>= 1) wait
  // to be written, of which a quarter is kept for urgent lines.
  explicit LineWriter(int fd, int64_t max_bytes = int64_t{4} << 20);
  // Lets go what waits, for a second at most.
  ~LineWriter();
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  // Takes a line without its break.  An urgent one finds room where others do
  // not.
  void Put(std::string line, bool urgent);
  // Waits until all that was put has been written, `timeout` at most;
  // returns whether it was.
  bool Flush(absl::Duration timeout);
  // Lines that found no room, or nobody to read them, so far.
  int64_t dropped() const;

 private:
  struct Shared;
  // The thread may outlive this, stuck in a write that nobody takes.
  const std::shared_ptr<Shared> shared_;
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_TELEMETRY_LINE_WRITER_H_
