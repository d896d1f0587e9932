// Has TLS files that change while the server runs used when they are good, and
// tells the log and a metric what becomes of them.
// Thread-safe.

#ifndef SALIENCY_SERVER_SECURITY_TLS_FILE_WATCH_H_
#define SALIENCY_SERVER_SECURITY_TLS_FILE_WATCH_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "core/base/clock.h"
#include "server/periodic.h"
#include "server/security/server_credentials.h"
#include "server/telemetry/log.h"

namespace saliency {

class TlsFileWatch {
 public:
  // Looks once a second.  `clock` and `log` outlive this.
  TlsFileWatch(std::shared_ptr<TlsIdentity> identity, Clock& clock, Log& log);

  // How often a change was found that could not be used.
  int64_t refused() const { return refused_; }

 private:
  void Look();

  const std::shared_ptr<TlsIdentity> identity_;
  Log& log_;
  std::string problem_;  // what Look last complained about; its thread's own
  std::atomic<int64_t> refused_ = 0;
  Periodic look_;  // last: uses all of the above
};

}  // namespace saliency

#endif  // SALIENCY_SERVER_SECURITY_TLS_FILE_WATCH_H_
