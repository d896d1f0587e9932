#include "client/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"

namespace saliency {
namespace {

absl::Status CannotWrite(const std::string& path) {
  return absl::InvalidArgumentError(
      absl::StrCat("cannot write ", path, ": ", std::strerror(errno)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<AtomicFile>> AtomicFile::Create(
    std::string path) {
  std::string temporary = absl::StrCat(path, ".", getpid(), ".part");
  const int descriptor =
      open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor < 0) return CannotWrite(path);
  std::FILE* file = fdopen(descriptor, "wb");
  if (file == nullptr) {
    close(descriptor);
    return CannotWrite(path);
  }
  return std::unique_ptr<AtomicFile>(
      new AtomicFile(std::move(path), std::move(temporary), file));
}

AtomicFile::~AtomicFile() {
  if (file_ == nullptr) return;
  std::fclose(file_);
  std::remove(temporary_.c_str());
}

absl::Status AtomicFile::Failed() const { return CannotWrite(path_); }

absl::Status AtomicFile::Append(absl::string_view bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) {
    return Failed();
  }
  return absl::OkStatus();
}

absl::Status AtomicFile::OverwriteStart(absl::string_view bytes) {
  if (std::fseek(file_, 0, SEEK_SET) != 0) return Failed();
  RETURN_IF_ERROR(Append(bytes));
  if (std::fseek(file_, 0, SEEK_END) != 0) return Failed();
  return absl::OkStatus();
}

absl::Status AtomicFile::Commit() {
  const bool closed = std::fclose(std::exchange(file_, nullptr)) == 0;
  if (closed && std::rename(temporary_.c_str(), path_.c_str()) == 0) {
    return absl::OkStatus();
  }
  const absl::Status failed = Failed();
  std::remove(temporary_.c_str());
  return failed;
}

absl::Status WriteFileAtomically(const std::string& path,
                                 absl::string_view bytes) {
  ASSIGN_OR_RETURN(const std::unique_ptr<AtomicFile> file,
                   AtomicFile::Create(path));
  RETURN_IF_ERROR(file->Append(bytes));
  return file->Commit();
}

}  // namespace saliency
