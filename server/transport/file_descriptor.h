// A file descriptor that closes itself.
// Move-only; thread-compatible.

#ifndef SALIENCY_SERVER_TRANSPORT_FILE_DESCRIPTOR_H_
#define SALIENCY_SERVER_TRANSPORT_FILE_DESCRIPTOR_H_

#include <unistd.h>

#include <utility>

namespace saliency {

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd = -1) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor() {
    if (fd_ >= 0) close(fd_);
  }

  bool ok() const { return fd_ >= 0; }
  int get() const { return fd_; }
  // Whoever calls this closes it.
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_TRANSPORT_FILE_DESCRIPTOR_H_
