// Tells scripts which ports were bound.
// Thread-compatible.

#ifndef SALIENCY_SERVER_PORT_FILE_H_
#define SALIENCY_SERVER_PORT_FILE_H_

#include <string>

#include "absl/status/status.h"

namespace saliency {

struct BoundPorts {
  int grpc = 0;
  int health = 0;   // 0: none
  int metrics = 0;  // 0: none
};

// Writes lines "grpc=50051", "health=...", "metrics=..." (those that are) to
// `path`, through a temporary file in the same folder: a reader sees all lines
// or no file.
// Errors: FAILED_PRECONDITION it cannot be written.
absl::Status WritePortFile(const std::string& path, const BoundPorts& ports);

}  // namespace saliency

#endif  // SALIENCY_SERVER_PORT_FILE_H_
