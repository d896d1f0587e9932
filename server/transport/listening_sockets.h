// Sockets that listen at an address of this machine.
// Move-only; thread-compatible.

#ifndef SALIENCY_SERVER_TRANSPORT_LISTENING_SOCKETS_H_
#define SALIENCY_SERVER_TRANSPORT_LISTENING_SOCKETS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/transport/file_descriptor.h"

namespace saliency {

class ListeningSockets {
 public:
  // `address` is HOST:PORT: a name, an IPv4 address, or an IPv6 address in
  // brackets; 0.0.0.0 are all of IPv4, [::] all addresses of both families, or
  // of IPv4 where the kernel has no IPv6; port 0 takes a free one.  A name with
  // several addresses listens at all of them.  `flag` is for messages.  Sockets
  // do not block. Errors: UNAVAILABLE naming flag and address: it cannot be
  // bound.
  static absl::StatusOr<ListeningSockets> Bind(const std::string& address,
                                               const std::string& flag);

  const std::vector<FileDescriptor>& sockets() const { return sockets_; }
  int port() const { return port_; }  // the bound one
  // Listens no more; the port stays known.
  void Close() { sockets_.clear(); }

 private:
  ListeningSockets(std::vector<FileDescriptor> sockets, int port)
      : sockets_(std::move(sockets)), port_(port) {}

  std::vector<FileDescriptor> sockets_;
  int port_;
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_TRANSPORT_LISTENING_SOCKETS_H_
