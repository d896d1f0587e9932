// The server's log: one line for each event on stderr, as text or as one JSON
// object, with the same fields in both.
// Thread-safe.

#ifndef SALIENCY_SERVER_LOG_H_
#define SALIENCY_SERVER_LOG_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "server/options.h"

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

class Log {
 public:
  // Where lines go, without their line break (tests); stderr otherwise.
  using Sink = std::function<void(const std::string& line)>;

  Log(LogFormat format, LogLevel level, Sink sink = nullptr);
  ~Log();

  void Debug(absl::string_view message,
             const std::vector<LogField>& fields = {});
  void Info(absl::string_view message,
            const std::vector<LogField>& fields = {});
  void Warning(absl::string_view message,
               const std::vector<LogField>& fields = {});
  void Error(absl::string_view message,
             const std::vector<LogField>& fields = {});

 private:
  void Write(LogLevel level, absl::string_view message,
             const std::vector<LogField>& fields);

  const LogFormat format_;
  const std::unique_ptr<spdlog::logger> logger_;
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_LOG_H_
