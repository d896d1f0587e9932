// Files that are either whole or not there: written beside their place under a
// temporary name, then renamed.
// Thread-compatible; different files may be written from different threads.

#ifndef SALIENCY_CORE_BASE_ATOMIC_FILE_H_
#define SALIENCY_CORE_BASE_ATOMIC_FILE_H_

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace saliency {

class AtomicFile {
 public:
  // Errors: INVALID_ARGUMENT when nothing can be written beside `path`.
  static absl::StatusOr<std::unique_ptr<AtomicFile>> Create(std::string path);
  // Without Commit() nothing remains.
  ~AtomicFile();

  // Errors of all: INVALID_ARGUMENT naming the file and the system's reason
  //   (disk full).
  absl::Status Append(absl::string_view bytes);
  absl::Status OverwriteStart(absl::string_view bytes);

  // Waits until what was written is on the disk, and survives a loss of power.
  absl::Status Sync();

  // Replaces the file at `path`.  Nothing may follow.
  absl::Status Commit();

 private:
  AtomicFile(std::string path, std::string temporary, std::FILE* file)
      : path_(std::move(path)), temporary_(std::move(temporary)), file_(file) {}
  absl::Status Failed() const;

  const std::string path_;
  const std::string temporary_;
  std::FILE* file_;  // null once committed
};

absl::Status WriteFileAtomically(const std::string& path,
                                 absl::string_view bytes);
// The same, and whole or as it was even after a loss of power.
absl::Status WriteFileDurably(const std::string& path, absl::string_view bytes);

}  // namespace saliency

#endif  // SALIENCY_CORE_BASE_ATOMIC_FILE_H_
