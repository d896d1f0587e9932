// What was built.
// Thread-safe: constants.

#ifndef SALIENCY_SERVER_VERSION_H_
#define SALIENCY_SERVER_VERSION_H_

#include <string>

namespace saliency {

std::string Version();       // "0.1.0"
std::string TorchVersion();  // of the LibTorch it was built against

// "saliency-server 0.1.0 (LibTorch 1.13.1, gRPC 1.51.1)"
std::string VersionText();

}  // namespace saliency

#endif  // SALIENCY_SERVER_VERSION_H_
