#include "server/transport/connection_acceptor.h"

#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>
#include <vector>

namespace saliency {
namespace {

FileDescriptor SpareFile() {
  return FileDescriptor(open("/dev/null", O_RDONLY | O_CLOEXEC));
}

int PeerPort(const sockaddr_storage& peer) {
  return ntohs(peer.ss_family == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6&>(peer).sin6_port
                   : reinterpret_cast<const sockaddr_in&>(peer).sin_port);
}

// The address at this end of a connection is that at the other.
bool IsOurs(int fd, const sockaddr_storage& peer) {
  sockaddr_storage here = {};
  socklen_t size = sizeof(here);
  return getsockname(fd, reinterpret_cast<sockaddr*>(&here), &size) == 0 &&
         PeerName(here) == PeerName(peer);
}

// With a reset: nothing of the connection is kept, at either end.
void HangUp(int fd) {
  const linger at_once = {.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  close(fd);
}

int Accept(int socket, sockaddr_storage& peer) {
  socklen_t size = sizeof(peer);
  return accept4(socket, reinterpret_cast<sockaddr*>(&peer), &size,
                 SOCK_NONBLOCK | SOCK_CLOEXEC);
}

}  // namespace

ConnectionAcceptor::ConnectionAcceptor(ListeningSockets sockets,
                                       ConnectionLedger& ledger, Take take)
    : sockets_(std::move(sockets)),
      ledger_(ledger),
      take_(std::move(take)),
      wake_(eventfd(0, EFD_CLOEXEC)),
      spare_(SpareFile()),
      thread_([this] { Run(); }) {}

void ConnectionAcceptor::StopListening() {
  if (!thread_.joinable()) return;
  const uint64_t one = 1;
  // Eight bytes always find room in an event's counter.
  [[maybe_unused]] const ssize_t written =
      write(wake_.get(), &one, sizeof(one));
  thread_.join();
  sockets_.Close();
}

ConnectionCounts ConnectionAcceptor::counts() {
  const int open = ledger_.Open(absl::Now());
  MutexLock lock(&mu_);
  counts_.open = open;
  counts_.reset = ledger_.resets();
  return counts_;
}

void ConnectionAcceptor::Expect(int own_port) {
  MutexLock lock(&mu_);
  own_ports_.insert(own_port);
}

void ConnectionAcceptor::ExpectNoMore(int own_port) {
  MutexLock lock(&mu_);
  own_ports_.erase(own_port);
}

bool ConnectionAcceptor::IsExpected(int own_port) {
  MutexLock lock(&mu_);
  return own_ports_.count(own_port) > 0;
}

void ConnectionAcceptor::Run() {
  std::vector<pollfd> polled = {{.fd = wake_.get(), .events = POLLIN}};
  for (const FileDescriptor& socket : sockets_.sockets()) {
    polled.push_back({.fd = socket.get(), .events = POLLIN});
  }
  while (true) {
    if (poll(polled.data(), polled.size(), -1) < 0) continue;
    if (polled.front().revents != 0) return;
    for (size_t i = 1; i < polled.size(); ++i) {
      if (polled[i].revents != 0) AcceptFrom(polled[i].fd);
    }
  }
}

void ConnectionAcceptor::AcceptFrom(int socket) {
  constexpr int kAtOnce = 64;  // then a look at the other sockets
  for (int i = 0; i < kAtOnce; ++i) {
    sockaddr_storage peer = {};
    const int fd = Accept(socket, peer);
    if (fd >= 0) {
      HandOn(fd, peer);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
               errno == ENOMEM) {
      return RefuseWithoutFiles(socket);
    } else if (errno != EINTR && errno != ECONNABORTED) {
      return;  // none waits
    }
  }
}

void ConnectionAcceptor::HandOn(int fd, const sockaddr_storage& peer) {
  if (!MayEnter(fd, peer)) return HangUp(fd);
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  take_(fd);
}

bool ConnectionAcceptor::MayEnter(int fd, const sockaddr_storage& peer) {
  const std::string name = PeerName(peer);
  const bool ours = IsOurs(fd, peer);
  if (ours && IsExpected(PeerPort(peer))) return true;
  const Room room = ledger_.RoomFor(name, absl::Now());
  if (room == Room::kFree) ledger_.Enter(fd, name, ConnectionName(peer));
  MutexLock lock(&mu_);
  switch (room) {
    case Room::kFree:
      return true;
    case Room::kFull:
      ++counts_.refused_full;
      return false;
    case Room::kPeerFull:
      ++counts_.refused_peer;
      return false;
  }
  return false;
}

void ConnectionAcceptor::RefuseWithoutFiles(int socket) {
  {
    MutexLock lock(&mu_);
    ++counts_.refused_files;
  }
  spare_ = FileDescriptor();
  sockaddr_storage peer = {};
  if (const int fd = Accept(socket, peer); fd >= 0) {
    HangUp(fd);
  } else {
    // Whoever takes the last ones was quicker: not again at once.
    constexpr int kPauseMs = 10;
    poll(nullptr, 0, kPauseMs);
  }
  spare_ = SpareFile();
}

}  // namespace saliency
