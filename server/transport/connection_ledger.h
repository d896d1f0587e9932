// Which connections are open and whose they are.  They belong to gRPC, which
// does not tell when it closes one: an entry is compared with what its file
// descriptor is now.
// Thread-compatible.

#ifndef SALIENCY_SERVER_TRANSPORT_CONNECTION_LEDGER_H_
#define SALIENCY_SERVER_TRANSPORT_CONNECTION_LEDGER_H_

#include <sys/socket.h>

#include <cstdint>
#include <map>
#include <string>

#include "absl/time/time.h"

namespace saliency {

struct ConnectionCaps {
  int total = 1000;    // >= 1
  int per_peer = 500;  // of one address, or one /64 of IPv6; >= 1
};

enum class Room { kFree, kFull, kPeerFull };

class ConnectionLedger {
 public:
  explicit ConnectionLedger(const ConnectionCaps& caps) : caps_(caps) {}

  // Whether one more of `peer` (PeerName) may come in.
  Room RoomFor(const std::string& peer, absl::Time now);
  // Enters a connection, before it is handed on.
  void Enter(int fd, const std::string& peer);
  // Those that are still open.
  int Open(absl::Time now);

 private:
  struct Entry {
    uint64_t inode = 0;
    std::string peer;
  };
  using Entries = std::map<int, Entry>;

  // Removes what has been closed, not more often than is worth it.
  void Sweep(absl::Time now);
  Entries::iterator Remove(Entries::iterator entry);

  const ConnectionCaps caps_;
  Entries entries_;                   // by file descriptor
  std::map<std::string, int> peers_;  // how many entries each has, > 0
  absl::Time swept_at_ = absl::InfinitePast();
};

// Whose address it is: IPv4's, also mapped into IPv6, or the /64 of IPv6's,
// which is one customer's.
std::string PeerName(const sockaddr_storage& address);

}  // namespace saliency

#endif  // SALIENCY_SERVER_TRANSPORT_CONNECTION_LEDGER_H_
