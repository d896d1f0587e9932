#include "server/version.h"

#include <torch/version.h>

#include "absl/strings/str_cat.h"
#include "grpcpp/grpcpp.h"

namespace saliency {

std::string Version() { return SALIENCY_VERSION; }

std::string TorchVersion() { return TORCH_VERSION; }

std::string VersionText() {
  return absl::StrCat("saliency-server ", Version(), " (LibTorch ",
                      TorchVersion(), ", gRPC ", grpc::Version(), ")");
}

}  // namespace saliency
