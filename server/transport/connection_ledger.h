// Which connections are open and whose they are.  They belong to gRPC, which
// does not tell when it closes one: an entry is compared with what its file
// descriptor is now.
// Thread-safe.

#ifndef SALIENCY_SERVER_TRANSPORT_CONNECTION_LEDGER_H_
#define SALIENCY_SERVER_TRANSPORT_CONNECTION_LEDGER_H_

#include <sys/socket.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "core/base/mutex.h"

namespace saliency {

struct ConnectionCaps {
  int total = 1000;    // >= 1
  int per_peer = 500;  // of one address, or one /64 of IPv6; >= 1
};

enum class Room { kFree, kFull, kPeerFull };

// What has come on a connection since it was opened.
struct Arrived {
  std::string peer;   // PeerName
  int64_t bytes = 0;  // headers and TLS included
};

class ConnectionLedger {
 public:
  explicit ConnectionLedger(const ConnectionCaps& caps) : caps_(caps) {}

  // Whether one more of `peer` (PeerName) may come in.
  Room RoomFor(const std::string& peer, absl::Time now)
      ABSL_LOCKS_EXCLUDED(mu_);
  // As long as it is closed there is no room.
  void Close(bool closed) ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    closed_ = closed;
  }
  // Enters a connection, before it is handed on; `name` is its ConnectionName.
  void Enter(int fd, const std::string& peer, const std::string& name)
      ABSL_LOCKS_EXCLUDED(mu_);
  // Those that are still open.
  int Open(absl::Time now) ABSL_LOCKS_EXCLUDED(mu_);
  // Of that name; nullopt: there is none, or the kernel does not tell.
  std::optional<Arrived> Find(const std::string& name) const
      ABSL_LOCKS_EXCLUDED(mu_);
  // Whose connection of that name it is; nullopt: there is none.
  std::optional<std::string> PeerOf(const std::string& name) const
      ABSL_LOCKS_EXCLUDED(mu_);
  // Resets that connection, since its peer does harm: what has come on it and
  // was not read is dropped, and its peer has no room until that time.  Its
  // name is no longer known.
  void Reset(const std::string& name, absl::Time until)
      ABSL_LOCKS_EXCLUDED(mu_);
  // How many have been reset so far.
  int64_t resets() const ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    return resets_;
  }
  // Ends all that are open; what was written still goes out.
  void HangUpAll() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Entry {
    uint64_t inode = 0;
    std::string peer;
    std::string name;
  };
  using Entries = std::map<int, Entry>;

  Room RoomNow(const std::string& peer) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // -1: there is none, or no more.
  int OpenNamed(const std::string& name) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Removes what has been closed, not more often than is worth it.
  void Sweep(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Entries::iterator Remove(Entries::iterator entry)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const ConnectionCaps caps_;
  mutable Mutex mu_;
  Entries entries_ ABSL_GUARDED_BY(mu_);  // by file descriptor
  // How many entries each has, > 0.
  std::map<std::string, int> peers_ ABSL_GUARDED_BY(mu_);
  // Until when each has no room.
  std::map<std::string, absl::Time> penalties_ ABSL_GUARDED_BY(mu_);
  // Whose descriptor it was last; not of those that were reset.
  std::map<std::string, int> names_ ABSL_GUARDED_BY(mu_);
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  int64_t resets_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Time swept_at_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
};

// Whose address it is: IPv4's, also mapped into IPv6, or the /64 of IPv6's,
// which is one customer's.
std::string PeerName(const sockaddr_storage& address);

// How gRPC names the connection of that peer: "ipv4:127.0.0.1:4711",
// "ipv6:%5B::1%5D:4711".
std::string ConnectionName(const sockaddr_storage& address);

}  // namespace saliency

#endif  // SALIENCY_SERVER_TRANSPORT_CONNECTION_LEDGER_H_
