// Tells the log what becomes of TLS files that change while the server runs:
// gRPC takes them over by itself and says nothing.
// Thread-safe.

#ifndef SALIENCY_SERVER_TLS_FILE_WATCH_H_
#define SALIENCY_SERVER_TLS_FILE_WATCH_H_

#include <string>

#include "core/base/clock.h"
#include "server/log.h"
#include "server/periodic.h"
#include "server/transport_options.h"

namespace saliency {

class TlsFileWatch {
 public:
  // Looks once a second.  `clock` and `log` outlive this.
  TlsFileWatch(ServerTlsFiles files, Clock& clock, Log& log);

 private:
  void Look();

  const ServerTlsFiles files_;
  Log& log_;
  std::string digests_;  // of the files as last seen; the thread's own
  Periodic look_;        // last: uses all of the above
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_TLS_FILE_WATCH_H_
