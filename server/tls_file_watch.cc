#include "server/tls_file_watch.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/file_digest.h"
#include "server/server_credentials.h"

namespace saliency {
namespace {

std::string DigestsOf(const ServerTlsFiles& files) {
  std::string digests;
  for (const std::string* path : {&files.cert, &files.key, &files.client_ca}) {
    if (path->empty()) continue;
    absl::StrAppend(&digests, Sha256OfFile(*path).value_or("none"), " ");
  }
  return digests;
}

}  // namespace

TlsFileWatch::TlsFileWatch(ServerTlsFiles files, Clock& clock, Log& log)
    : files_(std::move(files)),
      log_(log),
      digests_(DigestsOf(files_)),
      look_(clock, kTlsReloadPeriod, [this] { Look(); }) {}

void TlsFileWatch::Look() {
  std::string now = DigestsOf(files_);
  if (now == digests_) return;
  digests_ = std::move(now);
  if (const absl::Status good = CheckTlsFiles(files_); !good.ok()) {
    log_.Error("TLS files changed and do not fit: new connections may fail",
               {{"error", good.message()}});
    return;
  }
  log_.Info("TLS files changed: new connections use them");
}

}  // namespace saliency
