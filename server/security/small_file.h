// Reads an operator's file (a certificate, a list of tokens) as a whole.
// Pure function of the file system; safe from any thread.

#ifndef SALIENCY_SERVER_SECURITY_SMALL_FILE_H_
#define SALIENCY_SERVER_SECURITY_SMALL_FILE_H_

#include <string>

#include "absl/status/statusor.h"

namespace saliency {

// Errors: FAILED_PRECONDITION naming the path: not there, not readable, no
//   file, or more than 1 MiB.
absl::StatusOr<std::string> ReadSmallFile(const std::string& path);

}  // namespace saliency

#endif  // SALIENCY_SERVER_SECURITY_SMALL_FILE_H_
