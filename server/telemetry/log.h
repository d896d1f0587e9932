// The server's log: one line for each event on stderr, as text or as one JSON
// object, with the same fields in both.  Nobody waits for a line to be written:
// what comes faster than lines may, or than somebody reads them, is dropped and
// counted (saliency_log_dropped_total).
// Thread-safe.

#ifndef SALIENCY_SERVER_TELEMETRY_LOG_H_
#define SALIENCY_SERVER_TELEMETRY_LOG_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/base/mutex.h"
#include "server/options.h"
#include "server/telemetry/line_writer.h"
#include "server/telemetry/rate_limit.h"

namespace spdlog {
class logger;
}  // namespace spdlog

namespace saliency {

struct LogField {
  // Seconds and other measures as double; names and ids as text.
  using Value = std::variant<std::string, int64_t, double>;

  LogField(absl::string_view name, absl::string_view text)
      : key(name), value(std::string(text)) {}
  LogField(absl::string_view name, const char* text)
      : key(name), value(std::string(text)) {}
  LogField(absl::string_view name, const std::string& text)
      : key(name), value(text) {}
  LogField(absl::string_view name, int64_t number) : key(name), value(number) {}
  LogField(absl::string_view name, int number)
      : key(name), value(int64_t{number}) {}
  LogField(absl::string_view name, double number) : key(name), value(number) {}

  std::string key;
  Value value;
};

struct LogOptions {
  LogFormat format = LogFormat::kText;
  LogLevel level = LogLevel::kInfo;
  // Lines a second; five times as many at once.  Warnings and errors have as
  // many again, for themselves.
  int lines_per_second = 1000;  // >= 1
};

class Log {
 public:
  // Where lines go, without their line break.
  using Sink = std::function<void(const std::string& line)>;

  // Writes to `fd`, which stays open for as long as this lives.
  Log(const LogOptions& options, int fd);
  // Tells `sink` each line at once, however many there are (tests).
  Log(LogFormat format, LogLevel level, Sink sink);
  ~Log();

  void Debug(absl::string_view message,
             const std::vector<LogField>& fields = {});
  void Info(absl::string_view message,
            const std::vector<LogField>& fields = {});
  void Warning(absl::string_view message,
               const std::vector<LogField>& fields = {});
  void Error(absl::string_view message,
             const std::vector<LogField>& fields = {});

  // Waits until the lines so far have been written, `idle_timeout` at most.
  void Flush(absl::Duration idle_timeout);

  // Lines dropped so far: there were too many of them, or nobody took them.
  struct Dropped {
    int64_t rate = 0;
    int64_t blocked = 0;
  };
  Dropped dropped() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void Write(LogLevel level, absl::string_view message,
             const std::vector<LogField>& fields) ABSL_LOCKS_EXCLUDED(mu_);
  // Whether the rate allows another line; where it is time to tell, `missing`
  // is how many it did not allow since that was told last.
  bool Admit(LogLevel level, int64_t& missing) ABSL_LOCKS_EXCLUDED(mu_);
  void Format(LogLevel level, absl::string_view message,
              const std::vector<LogField>& fields);

  const LogFormat format_;
  const std::unique_ptr<LineWriter> writer_;  // null: a sink
  const std::unique_ptr<spdlog::logger> logger_;

  mutable Mutex mu_;
  RateLimit rate_ ABSL_GUARDED_BY(mu_);
  RateLimit urgent_rate_ ABSL_GUARDED_BY(mu_);
  int64_t dropped_by_rate_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t told_of_ ABSL_GUARDED_BY(mu_) = 0;  // of those
  absl::Time told_at_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_TELEMETRY_LOG_H_
