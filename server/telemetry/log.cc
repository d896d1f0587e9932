#include "server/telemetry/log.h"

#include <limits>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/near_names.h"
#include "nlohmann/json.hpp"
#include "spdlog/logger.h"
#include "spdlog/sinks/base_sink.h"

namespace saliency {
namespace {

// Time and level are spdlog's; the rest of the line is the payload.
constexpr char kTextPattern[] = "%Y-%m-%dT%H:%M:%S.%e%z %-7l %v";
constexpr char kJsonPattern[] =
    R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l",%v})";

spdlog::level::level_enum SpdlogLevel(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

// Hands whole lines to a function; the lock is the one that spdlog's base class
// asks for.
class FunctionSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  using Write = std::function<void(std::string line, bool urgent)>;

  explicit FunctionSink(Write write) : write_(std::move(write)) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    std::string text(line.data(), line.size());
    if (!text.empty() && text.back() == '\n') text.pop_back();
    write_(std::move(text), message.level >= spdlog::level::warn);
  }
  void flush_() override {}

 private:
  const Write write_;
};

std::unique_ptr<spdlog::logger> MakeLogger(LogFormat format, LogLevel level,
                                           FunctionSink::Write write) {
  auto logger = std::make_unique<spdlog::logger>(
      "saliency", std::make_shared<FunctionSink>(std::move(write)));
  logger->set_pattern(format == LogFormat::kJson ? kJsonPattern : kTextPattern);
  logger->set_level(SpdlogLevel(level));
  return logger;
}

// A log line is not cut any shorter than its texts.
constexpr int kAll = std::numeric_limits<int>::max();

// Of a text that a line holds: a caller's message may be longer.
constexpr size_t kMaxTextBytes = 4096;

std::string Clipped(absl::string_view text) {
  if (text.size() <= kMaxTextBytes) return std::string(text);
  return absl::StrCat(text.substr(0, kMaxTextBytes), "...");
}

constexpr double kBurstSeconds = 5;
constexpr double kNoLimit = std::numeric_limits<double>::infinity();

std::string TextPayload(absl::string_view message,
                        const std::vector<LogField>& fields) {
  std::string line = Printable(Clipped(message), kAll);
  for (const LogField& field : fields) {
    absl::StrAppend(&line, " ", field.key, "=");
    if (const auto* whole_text = std::get_if<std::string>(&field.value)) {
      const std::string text = Clipped(*whole_text);
      const bool quoted = text.empty() || text.find_first_of(" =\"\\\n\r\t") !=
                                              std::string::npos;
      absl::StrAppend(&line,
                      quoted ? absl::StrCat("\"", Printable(text, kAll), "\"")
                             : Printable(text, kAll));
    } else if (const auto* whole = std::get_if<int64_t>(&field.value)) {
      absl::StrAppend(&line, *whole);
    } else {
      absl::StrAppend(&line, std::get<double>(field.value));
    }
  }
  return line;
}

// The members of the object without its braces; bytes that are no UTF-8 are
// replaced, so that a line is always valid JSON.
std::string JsonPayload(absl::string_view message,
                        const std::vector<LogField>& fields) {
  nlohmann::ordered_json object;
  object["message"] = Clipped(message);
  for (const LogField& field : fields) {
    if (const auto* text = std::get_if<std::string>(&field.value)) {
      object[field.key] = Clipped(*text);
    } else if (const auto* whole = std::get_if<int64_t>(&field.value)) {
      object[field.key] = *whole;
    } else {
      object[field.key] = std::get<double>(field.value);
    }
  }
  const std::string text =
      object.dump(-1, ' ', /*ensure_ascii=*/false,
                  nlohmann::ordered_json::error_handler_t::replace);
  return text.substr(1, text.size() - 2);
}

}  // namespace

Log::Log(const LogOptions& options, int fd)
    : format_(options.format),
      writer_(std::make_unique<LineWriter>(fd)),
      logger_(
          MakeLogger(options.format, options.level,
                     [writer = writer_.get()](std::string line, bool urgent) {
                       writer->Put(std::move(line), urgent);
                     })),
      rate_(options.lines_per_second, options.lines_per_second * kBurstSeconds),
      urgent_rate_(rate_) {}

Log::Log(LogFormat format, LogLevel level, Sink sink)
    : format_(format),
      logger_(MakeLogger(
          format, level,
          [sink = std::move(sink)](const std::string& line, bool /*urgent*/) {
            sink(line);
          })),
      rate_(kNoLimit, kNoLimit),
      urgent_rate_(rate_) {}

Log::~Log() = default;

void Log::Debug(absl::string_view message,
                const std::vector<LogField>& fields) {
  Write(LogLevel::kDebug, message, fields);
}

void Log::Info(absl::string_view message, const std::vector<LogField>& fields) {
  Write(LogLevel::kInfo, message, fields);
}

void Log::Warning(absl::string_view message,
                  const std::vector<LogField>& fields) {
  Write(LogLevel::kWarning, message, fields);
}

void Log::Error(absl::string_view message,
                const std::vector<LogField>& fields) {
  Write(LogLevel::kError, message, fields);
}

void Log::Flush(absl::Duration idle_timeout) {
  if (writer_ != nullptr) writer_->Flush(idle_timeout);
}

Log::Dropped Log::dropped() const {
  const int64_t blocked = writer_ == nullptr ? 0 : writer_->dropped();
  MutexLock lock(&mu_);
  return {.rate = dropped_by_rate_, .blocked = blocked};
}

void Log::Write(LogLevel level, absl::string_view message,
                const std::vector<LogField>& fields) {
  if (!logger_->should_log(SpdlogLevel(level))) return;
  int64_t missing = 0;
  if (!Admit(level, missing)) return;
  if (missing > 0) {
    Format(LogLevel::kWarning, "log lines dropped: too many a second",
           {{"lines", missing}});
  }
  Format(level, message, fields);
}

bool Log::Admit(LogLevel level, int64_t& missing) {
  constexpr absl::Duration kTellEvery = absl::Seconds(1);
  const absl::Time now = absl::Now();
  MutexLock lock(&mu_);
  RateLimit& rate = level >= LogLevel::kWarning ? urgent_rate_ : rate_;
  if (!rate.Take(now)) {
    ++dropped_by_rate_;
    return false;
  }
  if (dropped_by_rate_ > told_of_ && now >= told_at_ + kTellEvery) {
    missing = dropped_by_rate_ - told_of_;
    told_of_ = dropped_by_rate_;
    told_at_ = now;
  }
  return true;
}

void Log::Format(LogLevel level, absl::string_view message,
                 const std::vector<LogField>& fields) {
  logger_->log(SpdlogLevel(level), "{}",
               format_ == LogFormat::kJson ? JsonPayload(message, fields)
                                           : TextPayload(message, fields));
}

}  // namespace saliency
