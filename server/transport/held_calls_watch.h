// Bounds the calls that gRPC holds, by its own counts: resets a connection that
// begins them faster than they end here, and, when there are too many in all,
// those of whoever has the most.
//
// HTTP/2 counts the calls of a connection that its peer has not reset.  But
// gRPC 1.51 reads on while a connection has more to read, and hands no call to
// its handler meanwhile, nor lets go of those that were reset: a peer that
// begins calls and resets them at once (CVE-2023-44487) costs 15 KB each, forty
// thousand times a second.  Its counts for channelz tell what it holds at any
// time, calls of methods that nobody serves included.
//
// What was begun on a connection before it was reset is let go of by and by:
// as long as too much is held nobody else may connect.
// Thread-safe.

#ifndef SALIENCY_SERVER_TRANSPORT_HELD_CALLS_WATCH_H_
#define SALIENCY_SERVER_TRANSPORT_HELD_CALLS_WATCH_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "core/base/clock.h"
#include "server/periodic.h"
#include "server/telemetry/log.h"
#include "server/transport/connection_ledger.h"

namespace saliency {

// What is held of one connection's calls, answered or not.
struct HeldCalls {
  std::string connection;  // as ConnectionName
  std::string peer;        // as PeerName; empty: it is open no more
  int64_t calls = 0;
  int64_t answered = 0;  // calls that were, before
};

struct HeldCallsLimits {
  int per_connection = 400;  // >= 1
  int total = 8192;          // >= 1
};

// The connections that are to go: those that have more than they may, and then,
// while there are too many in all, the largest of the peer that has the most.
// When that is more than twice the total with those that went, all go of which
// no call has been answered yet.
std::vector<HeldCalls> OverLimits(const std::vector<HeldCalls>& held,
                                  const HeldCallsLimits& limits);

class HeldCallsWatch {
 public:
  // Looks at the server that channelz knows by that number, whose connections
  // are in the ledger.  All but the server outlive this.
  HeldCallsWatch(const HeldCallsLimits& limits, int64_t server,
                 ConnectionLedger& ledger, Clock& clock, Log& log);

 private:
  void Look();
  void CloseLook();

  const HeldCallsLimits limits_;
  const int64_t server_;
  ConnectionLedger& ledger_;
  Log& log_;
  // The thread's own.
  int64_t begun_ = 0;  // calls at the last close look
  bool full_ = false;  // too much was held then
  Periodic look_;      // last: uses all of the above
};

// The number of the server that was started last.
int64_t NewestChannelzServer();

}  // namespace saliency

#endif  // SALIENCY_SERVER_TRANSPORT_HELD_CALLS_WATCH_H_
