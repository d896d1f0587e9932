#include "server/transport/connection_ledger.h"

#include <netinet/in.h>
#include <sys/stat.h>

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

}  // namespace

Room ConnectionLedger::RoomFor(const std::string& peer, absl::Time now) {
  const auto room = [&] {
    if (static_cast<int>(entries_.size()) >= caps_.total) return Room::kFull;
    const auto it = peers_.find(peer);
    return it != peers_.end() && it->second >= caps_.per_peer ? Room::kPeerFull
                                                              : Room::kFree;
  };
  if (room() != Room::kFree) Sweep(now);
  return room();
}

void ConnectionLedger::Enter(int fd, const std::string& peer) {
  // Whose number this was has been closed.
  if (const auto old = entries_.find(fd); old != entries_.end()) Remove(old);
  entries_[fd] = {.inode = InodeOf(fd), .peer = peer};
  ++peers_[peer];
}

int ConnectionLedger::Open(absl::Time now) {
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

}  // namespace saliency
