#include "server/metrics_endpoint.h"

#include <dlfcn.h>
#include <pthread.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"

// civetweb, which serves the page, gives its threads 100 KiB of stack.  A stack
// also holds the thread-local variables of every library in the process, and
// with LibTorch's (61 KiB for OpenBLAS, 30 for glog) those alone are larger: no
// thread starts.  The size is fixed in the packaged library, so its call to
// this function, which the executable's definition takes before libc's, asks
// for more.
extern "C" int pthread_attr_setstacksize(pthread_attr_t* attributes,
                                         size_t bytes) {
  using SetStackSize = int (*)(pthread_attr_t*, size_t);
  static const auto in_libc = reinterpret_cast<SetStackSize>(
      dlsym(RTLD_NEXT, "pthread_attr_setstacksize"));
  constexpr size_t kLeastBytes = size_t{1} << 20;
  return in_libc(attributes, std::max(bytes, kLeastBytes));
}

namespace saliency {

absl::StatusOr<std::unique_ptr<MetricsEndpoint>> MetricsEndpoint::Start(
    const std::string& address,
    std::vector<std::shared_ptr<prometheus::Collectable>> sources) {
  std::unique_ptr<prometheus::Exposer> exposer;
  // Its constructor throws when the address is taken.
  const absl::Status bound = CatchAsStatus("bind", [&] {
    exposer = std::make_unique<prometheus::Exposer>(address);
    return absl::OkStatus();
  });
  if (!bound.ok()) {
    return absl::UnavailableError(
        absl::StrCat("--metrics-address ", address,
                     ": cannot listen there (in use, or not an address of "
                     "this machine)"));
  }
  for (const auto& source : sources) exposer->RegisterCollectable(source);
  return std::unique_ptr<MetricsEndpoint>(
      new MetricsEndpoint(std::move(exposer), std::move(sources)));
}

int MetricsEndpoint::port() const {
  const std::vector<int> ports = exposer_->GetListeningPorts();
  return ports.empty() ? 0 : ports.front();
}

}  // namespace saliency
