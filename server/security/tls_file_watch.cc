#include "server/security/tls_file_watch.h"

#include <utility>

namespace saliency {
namespace {

constexpr absl::Duration kTlsReloadPeriod = absl::Seconds(1);

}  // namespace

TlsFileWatch::TlsFileWatch(std::shared_ptr<TlsIdentity> identity, Clock& clock,
                           Log& log)
    : identity_(std::move(identity)),
      log_(log),
      look_(clock, kTlsReloadPeriod, [this] { Look(); }) {}

void TlsFileWatch::Look() {
  const absl::StatusOr<bool> changed = identity_->Reload();
  if (!changed.ok()) {
    if (problem_ == changed.status().message()) return;
    problem_ = std::string(changed.status().message());
    ++refused_;
    log_.Error("the TLS files cannot be used; those read before stay in force",
               {{"error", problem_}});
    return;
  }
  const bool mended = !problem_.empty();
  problem_.clear();
  if (*changed) {
    log_.Info("TLS files changed: new connections use them");
  } else if (mended) {
    log_.Info("the TLS files are those in force again");
  }
}

}  // namespace saliency
