#include "server/transport/connection_ledger.h"

#include <arpa/inet.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace saliency {
namespace {

// A look at a thousand descriptors takes half a millisecond.
constexpr absl::Duration kSweepEvery = absl::Milliseconds(10);

// 0: none is open there.  Sockets are numbered anew each time.
uint64_t InodeOf(int fd) {
  struct stat metadata = {};
  return fstat(fd, &metadata) == 0 && S_ISSOCK(metadata.st_mode)
             ? metadata.st_ino
             : 0;
}

std::optional<int64_t> BytesReceived(int fd) {
  tcp_info info = {};
  socklen_t size = sizeof(info);
  constexpr size_t kEnd = offsetof(tcp_info, tcpi_bytes_received) +
                          sizeof(info.tcpi_bytes_received);
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 || size < kEnd) {
    return std::nullopt;
  }
  return static_cast<int64_t>(info.tcpi_bytes_received);
}

}  // namespace

Room ConnectionLedger::RoomFor(const std::string& peer, absl::Time now) {
  MutexLock lock(&mu_);
  std::erase_if(penalties_, [&](const auto& one) { return one.second <= now; });
  if (RoomNow(peer) != Room::kFree) Sweep(now);
  return RoomNow(peer);
}

Room ConnectionLedger::RoomNow(const std::string& peer) const {
  if (penalties_.count(peer) > 0) return Room::kPeerFull;
  if (closed_ || static_cast<int>(entries_.size()) >= caps_.total) {
    return Room::kFull;
  }
  const auto it = peers_.find(peer);
  return it != peers_.end() && it->second >= caps_.per_peer ? Room::kPeerFull
                                                            : Room::kFree;
}

void ConnectionLedger::Enter(int fd, const std::string& peer,
                             const std::string& name) {
  MutexLock lock(&mu_);
  // Whose number this was has been closed.
  if (const auto old = entries_.find(fd); old != entries_.end()) Remove(old);
  entries_[fd] = {.inode = InodeOf(fd), .peer = peer, .name = name};
  ++peers_[peer];
  names_[name] = fd;
}

std::optional<Arrived> ConnectionLedger::Find(const std::string& name) const {
  MutexLock lock(&mu_);
  const int fd = OpenNamed(name);
  if (fd < 0) return std::nullopt;
  const std::optional<int64_t> bytes = BytesReceived(fd);
  if (!bytes.has_value()) return std::nullopt;
  return Arrived{.peer = entries_.at(fd).peer, .bytes = *bytes};
}

std::optional<std::string> ConnectionLedger::PeerOf(
    const std::string& name) const {
  MutexLock lock(&mu_);
  const int fd = OpenNamed(name);
  if (fd < 0) return std::nullopt;
  return entries_.at(fd).peer;
}

void ConnectionLedger::Reset(const std::string& name, absl::Time until) {
  MutexLock lock(&mu_);
  const int fd = OpenNamed(name);
  if (fd < 0) return;
  absl::Time& penalty = penalties_[entries_.at(fd).peer];
  penalty = std::max(penalty, until);
  names_.erase(name);
  ++resets_;
  // Unlike shutdown, this drops what waits to be read.
  const sockaddr nobody = {.sa_family = AF_UNSPEC, .sa_data = {}};
  connect(fd, &nobody, sizeof(nobody));
}

void ConnectionLedger::HangUpAll() {
  MutexLock lock(&mu_);
  for (const auto& [fd, entry] : entries_) {
    if (InodeOf(fd) == entry.inode) shutdown(fd, SHUT_RDWR);
  }
}

int ConnectionLedger::OpenNamed(const std::string& name) const {
  const auto fd = names_.find(name);
  return fd != names_.end() &&
                 InodeOf(fd->second) == entries_.at(fd->second).inode
             ? fd->second
             : -1;
}

int ConnectionLedger::Open(absl::Time now) {
  MutexLock lock(&mu_);
  Sweep(now);
  return static_cast<int>(entries_.size());
}

void ConnectionLedger::Sweep(absl::Time now) {
  if (now - swept_at_ < kSweepEvery) return;
  swept_at_ = now;
  for (auto it = entries_.begin(); it != entries_.end();) {
    it = InodeOf(it->first) == it->second.inode ? std::next(it) : Remove(it);
  }
}

ConnectionLedger::Entries::iterator ConnectionLedger::Remove(
    Entries::iterator entry) {
  const auto peer = peers_.find(entry->second.peer);
  if (--peer->second == 0) peers_.erase(peer);
  const auto name = names_.find(entry->second.name);
  // A later connection may have the same.
  if (name != names_.end() && name->second == entry->first) names_.erase(name);
  return entries_.erase(entry);
}

std::string PeerName(const sockaddr_storage& address) {
  constexpr size_t kPrefixBytes = 8;
  const auto text = [](const void* bytes, size_t size) {
    return std::string(static_cast<const char*>(bytes), size);
  };
  if (address.ss_family != AF_INET6) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    return text(&v4.sin_addr, sizeof(v4.sin_addr));
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&v6)) return text(&v6.s6_addr[12], 4);
  return text(&v6, kPrefixBytes);
}

std::string ConnectionName(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = {};
  if (address.ss_family != AF_INET6) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
    return absl::StrCat("ipv4:", text, ":", ntohs(v4.sin_port));
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
    inet_ntop(AF_INET, &v6.sin6_addr.s6_addr[12], text, sizeof(text));
    return absl::StrCat("ipv4:", text, ":", ntohs(v6.sin6_port));
  }
  inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
  return absl::StrCat("ipv6:%5B", text, "%5D:", ntohs(v6.sin6_port));
}

}  // namespace saliency
