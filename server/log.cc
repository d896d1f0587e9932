#include "server/log.h"

#include <limits>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/near_names.h"
#include "nlohmann/json.hpp"
#include "spdlog/logger.h"
#include "spdlog/sinks/base_sink.h"
#include "spdlog/sinks/stdout_sinks.h"

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
  explicit FunctionSink(Log::Sink write) : write_(std::move(write)) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    std::string text(line.data(), line.size());
    if (!text.empty() && text.back() == '\n') text.pop_back();
    write_(text);
  }
  void flush_() override {}

 private:
  const Log::Sink write_;
};

std::shared_ptr<spdlog::sinks::sink> MakeSink(Log::Sink sink) {
  if (sink == nullptr) return std::make_shared<spdlog::sinks::stderr_sink_mt>();
  return std::make_shared<FunctionSink>(std::move(sink));
}

// A log line is not cut.
constexpr int kAll = std::numeric_limits<int>::max();

std::string TextPayload(absl::string_view message,
                        const std::vector<LogField>& fields) {
  std::string line = Printable(message, kAll);
  for (const LogField& field : fields) {
    absl::StrAppend(&line, " ", field.key, "=");
    if (const auto* text = std::get_if<std::string>(&field.value)) {
      const bool quoted =
          text->empty() ||
          text->find_first_of(" =\"\\\n\r\t") != std::string::npos;
      absl::StrAppend(&line,
                      quoted ? absl::StrCat("\"", Printable(*text, kAll), "\"")
                             : Printable(*text, kAll));
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
  object["message"] = std::string(message);
  for (const LogField& field : fields) {
    std::visit([&](const auto& value) { object[field.key] = value; },
               field.value);
  }
  const std::string text =
      object.dump(-1, ' ', /*ensure_ascii=*/false,
                  nlohmann::ordered_json::error_handler_t::replace);
  return text.substr(1, text.size() - 2);
}

}  // namespace

Log::Log(LogFormat format, LogLevel level, Sink sink)
    : format_(format),
      logger_(std::make_unique<spdlog::logger>("saliency",
                                               MakeSink(std::move(sink)))) {
  logger_->set_pattern(format == LogFormat::kJson ? kJsonPattern
                                                  : kTextPattern);
  logger_->set_level(SpdlogLevel(level));
  logger_->flush_on(spdlog::level::info);
}

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

void Log::Write(LogLevel level, absl::string_view message,
                const std::vector<LogField>& fields) {
  if (!logger_->should_log(SpdlogLevel(level))) return;
  logger_->log(SpdlogLevel(level), "{}",
               format_ == LogFormat::kJson ? JsonPayload(message, fields)
                                           : TextPayload(message, fields));
}

}  // namespace saliency
