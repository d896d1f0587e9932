// Takes connections on a thread of its own and hands them on, as many as there
// is room for; the rest is hung up on at once.
//
// gRPC 1.51's own acceptor stops for good when accept() fails once, as it does
// when no file descriptor is left: this one goes on.
// Thread-safe.

#ifndef SALIENCY_SERVER_TRANSPORT_CONNECTION_ACCEPTOR_H_
#define SALIENCY_SERVER_TRANSPORT_CONNECTION_ACCEPTOR_H_

#include <cstdint>
#include <functional>
#include <set>
#include <thread>

#include "core/base/mutex.h"
#include "server/transport/connection_ledger.h"
#include "server/transport/file_descriptor.h"
#include "server/transport/listening_sockets.h"

namespace saliency {

struct ConnectionCounts {
  int64_t open = 0;  // now
  // Hung up on so far: too many in all, too many of the peer, no file
  // descriptor left.
  int64_t refused_full = 0;
  int64_t refused_peer = 0;
  int64_t refused_files = 0;
  int64_t reset = 0;  // later, for what their peers did
};

class ConnectionAcceptor {
 public:
  // Takes a connection that does not block, and closes it.
  using Take = std::function<void(int fd)>;

  // Begins; `ledger`, and what `take` refers to, outlive this.
  ConnectionAcceptor(ListeningSockets sockets, ConnectionLedger& ledger,
                     Take take);
  ~ConnectionAcceptor() { StopListening(); }
  ConnectionAcceptor(const ConnectionAcceptor&) = delete;
  ConnectionAcceptor& operator=(const ConnectionAcceptor&) = delete;

  int port() const { return sockets_.port(); }
  ConnectionCounts counts() ABSL_LOCKS_EXCLUDED(mu_);

  // Takes no more connections.  By one thread alone.
  void StopListening();

  // Lets a connection in that comes from this port of our own machine, however
  // full it is: a look at ourselves.
  void Expect(int own_port) ABSL_LOCKS_EXCLUDED(mu_);
  void ExpectNoMore(int own_port) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  bool IsExpected(int own_port) ABSL_LOCKS_EXCLUDED(mu_);
  void Run();
  // Takes all that wait at one socket.
  void AcceptFrom(int socket);
  void HandOn(int fd, const sockaddr_storage& peer) ABSL_LOCKS_EXCLUDED(mu_);
  bool MayEnter(int fd, const sockaddr_storage& peer) ABSL_LOCKS_EXCLUDED(mu_);
  // No descriptor is left: hangs up on one peer all the same.
  void RefuseWithoutFiles(int socket) ABSL_LOCKS_EXCLUDED(mu_);

  ListeningSockets sockets_;
  ConnectionLedger& ledger_;
  const Take take_;
  const FileDescriptor wake_;  // readable: stop
  FileDescriptor spare_;       // the thread's own; given up to hang up
  Mutex mu_;
  std::set<int> own_ports_ ABSL_GUARDED_BY(mu_);
  ConnectionCounts counts_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;  // last: uses all of the above
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_TRANSPORT_CONNECTION_ACCEPTOR_H_
