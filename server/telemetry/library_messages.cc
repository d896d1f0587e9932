#include <atomic>
#include <cstring>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/stubs/logging.h"
#include "grpc/support/log.h"
#include "server/telemetry/library_logs.h"

namespace saliency {
namespace {

// The libraries' hooks are functions without data of their own.
std::atomic<Log*>& MessagesLog() {
  static std::atomic<Log*> log = nullptr;
  return log;
}

absl::string_view FileName(const char* path) {
  const char* slash = std::strrchr(path, '/');
  return slash == nullptr ? path : slash + 1;
}

constexpr absl::Duration kFatalFlush = absl::Seconds(1);

// Strangers can bring most of these about, so that none is an error of ours.
void TakeGrpcMessage(gpr_log_func_args* args) {
  Log* log = MessagesLog();
  if (log == nullptr) return;
  const std::string place = absl::StrCat(FileName(args->file), ":", args->line);
  const bool fatal = absl::StartsWith(args->message, "assertion failed");
  if (fatal) {
    log->Error("gRPC", {{"text", args->message}, {"place", place}});
    log->Flush(kFatalFlush);  // it aborts the process
  } else if (args->severity == GPR_LOG_SEVERITY_ERROR) {
    log->Warning("gRPC", {{"text", args->message}, {"place", place}});
  } else {
    log->Info("gRPC", {{"text", args->message}, {"place", place}});
  }
}

void TakeProtobufMessage(google::protobuf::LogLevel level, const char* file,
                         int line, const std::string& message) {
  Log* log = MessagesLog();
  if (log == nullptr) return;
  const std::string place = absl::StrCat(FileName(file), ":", line);
  if (level == google::protobuf::LOGLEVEL_FATAL) {
    log->Error("libprotobuf", {{"text", message}, {"place", place}});
    log->Flush(kFatalFlush);
  } else {
    log->Warning("libprotobuf", {{"text", message}, {"place", place}});
  }
}

}  // namespace

LibraryMessages::LibraryMessages(Log& log) {
  MessagesLog() = &log;
  gpr_set_log_function(&TakeGrpcMessage);
  google::protobuf::SetLogHandler(&TakeProtobufMessage);
}

// The hooks stay and find no log: a thread of gRPC may be in one.
LibraryMessages::~LibraryMessages() { MessagesLog() = nullptr; }

}  // namespace saliency
