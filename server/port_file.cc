#include "server/port_file.h"

#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "absl/strings/str_cat.h"

namespace saliency {

absl::Status WritePortFile(const std::string& path, const BoundPorts& ports) {
  std::string text = absl::StrCat("grpc=", ports.grpc, "\n");
  if (ports.health != 0) absl::StrAppend(&text, "health=", ports.health, "\n");
  if (ports.metrics != 0) {
    absl::StrAppend(&text, "metrics=", ports.metrics, "\n");
  }
  const std::string temporary = absl::StrCat(path, ".", getpid());
  std::ofstream file(temporary);
  file << text;
  file.close();
  if (!file || std::rename(temporary.c_str(), path.c_str()) != 0) {
    std::remove(temporary.c_str());
    return absl::FailedPreconditionError(
        absl::StrCat("--port-file ", path, ": cannot be written"));
  }
  return absl::OkStatus();
}

}  // namespace saliency
