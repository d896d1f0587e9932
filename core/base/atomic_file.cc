#include "core/base/atomic_file.h"

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

// A new name is on the disk when its folder is.
absl::Status SyncFolderOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string folder =
      slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int descriptor =
      open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return CannotWrite(path);
  const bool synced = fsync(descriptor) == 0;
  const absl::Status failed = synced ? absl::OkStatus() : CannotWrite(path);
  close(descriptor);
  return failed;
}

}  // namespace

absl::StatusOr<std::unique_ptr<AtomicFile>> AtomicFile::Create(
    std::string path) {
  // Somebody else's process may have our number: one in another container, or
  // one that was killed.
  constexpr int kMaxTries = 100;
  std::string temporary;
  int descriptor = -1;
  for (int i = 0; i < kMaxTries && descriptor < 0; ++i) {
    temporary = absl::StrCat(path, ".", getpid(), ".", i, ".part");
    descriptor =
        open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor < 0 && errno != EEXIST) break;
  }
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

absl::Status AtomicFile::Sync() {
  if (std::fflush(file_) != 0 || fsync(fileno(file_)) != 0) return Failed();
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

absl::Status WriteFileDurably(const std::string& path,
                              absl::string_view bytes) {
  ASSIGN_OR_RETURN(const std::unique_ptr<AtomicFile> file,
                   AtomicFile::Create(path));
  RETURN_IF_ERROR(file->Append(bytes));
  RETURN_IF_ERROR(file->Sync());
  RETURN_IF_ERROR(file->Commit());
  return SyncFolderOf(path);
}

}  // namespace saliency
